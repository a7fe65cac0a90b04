// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/json.h"

namespace kd {
namespace {

// No file of ours needs more than 6 levels; the parser builds whatever depth it finds.
constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxElements = 8192;

bool nested_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      if (++depth > kMaxDepth) return true;
    } else if (!in_string && (c == ']' || c == '}')) {
      --depth;
    }
  }
  return false;
}

}  // namespace

std::string json_text(const Json& json) {
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Json> parse_json(std::string_view text, std::size_t most_bytes) {
  if (text.size() > most_bytes) {
    return fail(ErrorKind::kFailed, "{} bytes are too many, {} are allowed", text.size(),
                most_bytes);
  }
  if (nested_too_deep(text)) {
    return fail(ErrorKind::kFailed, "nested too deep, {} levels are allowed", kMaxDepth);
  }
  std::vector<std::set<std::string, std::less<>>> objects;
  std::string repeated;
  const auto watch = [&](int, Json::parse_event_t event, const Json& value) {
    if (event == Json::parse_event_t::object_start) objects.emplace_back();
    if (event == Json::parse_event_t::object_end) objects.pop_back();
    if (event == Json::parse_event_t::key && repeated.empty() &&
        !objects.back().insert(value.get<std::string>()).second) {
      repeated = value.get<std::string>();
    }
    return true;
  };
  try {
    Json parsed = Json::parse(text, watch);
    if (repeated.empty()) return parsed;
    return fail(ErrorKind::kFailed, "member '{}' appears twice in one object", repeated);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string_view what = error.what();
    return fail(ErrorKind::kFailed, "no JSON: {}", what.substr(what.find(' ') + 1));
  }
}

JsonObject::JsonObject(const Json& object, std::string path, std::string& problem)
    : object_(object), path_(std::move(path)), problem_(problem) {
  if (!object.is_object()) complain(path_, "is no object");
}

// RFC 6901.
std::string JsonObject::path_of(std::string_view name) const {
  std::string path = path_ + "/";
  for (const char c : name) {
    if (c == '~') {
      path += "~0";
    } else if (c == '/') {
      path += "~1";
    } else {
      path += c;
    }
  }
  return path;
}

void JsonObject::complain(const std::string& path, std::string_view what) {
  if (problem_.empty()) problem_ = fmt::format("{}: {}", path.empty() ? "/" : path, what);
}

const Json* JsonObject::find(const char* name) {
  if (!problem_.empty()) return nullptr;
  const auto found = object_.find(name);
  if (found == object_.end()) {
    complain(path_of(name), "is missing");
    return nullptr;
  }
  names_.insert(name);
  return &*found;
}

bool JsonObject::to(const Json& from, const std::string& path, std::string& value) {
  if (!from.is_string()) {
    complain(path, "is no string");
    return false;
  }
  value = from.get_ref<const std::string&>();
  return true;
}

bool JsonObject::to(const Json& from, const std::string& path, std::uint64_t& value) {
  if (!from.is_number_unsigned()) {
    complain(path, "is no whole number from 0 to 2^64-1");
    return false;
  }
  value = from.get<std::uint64_t>();
  return true;
}

bool JsonObject::is_array(const Json& from, const std::string& path) {
  if (!from.is_array()) complain(path, "is no array");
  if (from.size() > kMaxElements) complain(path, "has too many elements");
  return problem_.empty();
}

void JsonObject::expect_version(std::uint64_t known) {
  std::uint64_t version = 0;
  read("version", version);
  if (version != known) complain(path_of("version"), "is not a known version");
}

void JsonObject::refuse_other_members() {
  if (!problem_.empty()) return;
  for (const auto& [name, value] : object_.items()) {
    if (!names_.contains(name)) return complain(path_of(name), "is not a member of the schema");
  }
}

}  // namespace kd
