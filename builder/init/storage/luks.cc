// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/luks.h"

#include <string.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "builder/init/storage/quoted_string.h"

namespace kdinit::luks {
namespace {

constexpr std::uint64_t kSector = 512;
constexpr std::string_view kMagic("LUKS\xba\xbe", 6);
constexpr std::string_view kSecondMagic("SKUL\xba\xbe", 6);  // of the copy of LUKS2
using Start = std::array<unsigned char, 512>;
constexpr const char* kDamaged = "its header is damaged";

// Both versions are big-endian.
std::uint64_t number_at(const Start& bytes, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes[offset + i];
  return value;
}

// A field with a text that ends in zeros.
std::string_view text_at(const Start& bytes, std::size_t offset, std::size_t size) {
  const char* text = reinterpret_cast<const char*>(bytes.data()) + offset;
  return {text, ::strnlen(text, size)};
}

// It becomes a word of a table, and of a configuration.
bool is_cipher(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == ':' ||
           c == '(' || c == ')';
  });
}

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

// From the bracket at the front to the one that closes it; empty when there is none.
std::string_view take_brackets(std::string_view& text) {
  const std::string_view start = text;
  for (std::size_t depth = 0; !text.empty();) {
    const char c = text.front();
    if (c == '"') {
      if (take_string(text).empty()) return {};
      continue;
    }
    text.remove_prefix(1);
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return start.substr(0, start.size() - text.size());
  }
  return {};
}

// As it stands; empty when it is none.
std::string_view take_value(std::string_view& text) {
  skip_blanks(text);
  if (text.empty()) return {};
  if (text.front() == '"') return take_string(text);
  if (text.front() == '{' || text.front() == '[') return take_brackets(text);
  const std::string_view word = text.substr(0, text.find_first_of(",:}] \t\r\n"));
  text.remove_prefix(word.size());
  return word;
}

std::string_view unquoted(std::string_view value) {
  return value.size() >= 2 && value.front() == '"' ? value.substr(1, value.size() - 2) : "";
}

struct Member {
  std::string_view name;
  std::string_view value;  // as it stands
};

// The members of a JSON object one after the other, or the elements of an array, without names.
class Members {
 public:
  explicit Members(std::string_view value) {
    if (value.size() < 2 || (value.front() != '{' && value.front() != '[')) return;
    named_ = value.front() == '{';
    rest_ = value.substr(1, value.size() - 2);
  }
  bool next(Member& member) {
    skip_blanks(rest_);
    if (rest_.starts_with(',')) rest_.remove_prefix(1);
    member = {};
    if (named_) {
      member.name = unquoted(take_value(rest_));
      skip_blanks(rest_);
      if (!rest_.starts_with(':')) return false;
      rest_.remove_prefix(1);
    }
    member.value = take_value(rest_);
    return !member.value.empty();
  }

 private:
  bool named_ = false;
  std::string_view rest_;
};

// Empty without it.
std::string_view member_of(std::string_view object, std::string_view name) {
  Members members(object);
  for (Member member; members.next(member);) {
    if (member.name == name) return member.value;
  }
  return {};
}

std::size_t count_of(std::string_view value) {
  Members members(value);
  std::size_t count = 0;
  for (Member member; members.next(member);) ++count;
  return count;
}

bool has_element(std::string_view array, std::string_view text) {
  Members members(array);
  for (Member member; members.next(member);) {
    if (unquoted(member.value) == text) return true;
  }
  return false;
}

// Numbers of 64 bits are strings in this JSON.
bool read_number(std::string_view value, std::uint64_t& number) {
  if (value.starts_with('"')) value = unquoted(value);
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  return error == std::errc{} && stop == end;
}

bool read_number(std::string_view value, std::uint32_t& number) {
  std::uint64_t wide = 0;
  if (!read_number(value, wide) || wide > 0xffffffff) return false;
  number = static_cast<std::uint32_t>(wide);
  return true;
}

// Of the slots with the key of the segment: others may hold a key of something else.
std::uint32_t key_size_of(std::string_view json, std::string_view segment) {
  Members digests(member_of(json, "digests"));
  for (Member digest; digests.next(digest);) {
    if (!has_element(member_of(digest.value, "segments"), segment)) continue;
    Members slots(member_of(digest.value, "keyslots"));
    Member slot;
    if (!slots.next(slot)) continue;
    std::uint32_t size = 0;
    const std::string_view keyslot = member_of(member_of(json, "keyslots"), unquoted(slot.value));
    return read_number(member_of(keyslot, "key_size"), size) ? size : 0;
  }
  return 0;
}

const char* check(const Header& header) {
  constexpr std::uint64_t kMaxOffset = std::uint64_t{1} << 60;
  if (!is_cipher(header.cipher.view()) || header.cipher.cut()) return "its cipher is not known";
  if (header.key_size == 0 || header.key_size > 256) return "no key slot tells the size of its key";
  if (header.offset == 0) return "its header is of a volume that lies elsewhere";
  const std::uint32_t sector = header.sector_size;
  if (sector < kSector || sector > 4096 || (sector & (sector - 1)) != 0 ||
      header.offset % kSector != 0 || header.length % sector != 0 || header.offset > kMaxOffset ||
      header.length > kMaxOffset) {
    return kDamaged;
  }
  return nullptr;
}

const char* read_json(std::string_view text, Header& header) {
  header.cipher.clear();
  header.length = 0;
  const std::string_view json = take_value(text);
  if (!json.starts_with('{')) return kDamaged;
  const std::string_view config = member_of(json, "config");
  // "online-reencrypt-v2", "offline-reencrypt", and what later versions of cryptsetup think of.
  const std::string_view required = member_of(member_of(config, "requirements"), "mandatory");
  if (count_of(required) > 0) {
    return required.find("reencrypt") != std::string_view::npos
               ? "it is being reencrypted"
               : "it requires what init does not know";
  }
  Members segments(member_of(json, "segments"));
  Member segment, other;
  if (!segments.next(segment)) return kDamaged;
  if (segments.next(other)) return "it is being reencrypted";
  const std::string_view data = segment.value;
  if (unquoted(member_of(data, "type")) != "crypt") return "its data is no plain encryption";
  if (!member_of(data, "integrity").empty()) return "it has integrity tags";
  const std::string_view size = unquoted(member_of(data, "size"));
  if (!read_number(member_of(data, "offset"), header.offset) ||
      (size != "dynamic" && (!read_number(size, header.length) || header.length == 0)) ||
      !read_number(member_of(data, "iv_tweak"), header.iv_offset) ||
      !read_number(member_of(data, "sector_size"), header.sector_size)) {
    return kDamaged;
  }
  header.cipher.put(unquoted(member_of(data, "encryption")));
  header.key_size = key_size_of(json, segment.name);
  return check(header);
}

// struct luks_phdr: magic, version u16, cipher name, cipher mode and hash of 32 characters each,
// offset of the data in sectors u32, size of the key u32.
const char* read_first(const Start& start, Header& header) {
  header.cipher.put(text_at(start, 8, 32), '-', text_at(start, 40, 32));
  header.offset = number_at(start, 104, 4) * kSector;
  header.key_size = static_cast<std::uint32_t>(number_at(start, 108, 4));
  header.sector_size = kSector;
  return check(header);
}

// struct luks2_hdr_disk: magic, version u16, size of it with the JSON u64, ..., its own offset u64.
const char* read_second(BlockReader& device, std::span<char> buffer, const Start& start,
                        std::uint64_t offset, Header& header) {
  constexpr std::uint64_t kBinary = 4096, kSmallest = 16 << 10, kLargest = 4 << 20;
  const std::uint64_t size = number_at(start, 8, 8);
  if (size < kSmallest || size > kLargest || number_at(start, 256, 8) != offset) {
    return kDamaged;
  }
  const std::size_t room = std::min<std::uint64_t>(size - kBinary, buffer.size());
  if (device.read(offset + kBinary, buffer.data(), room) != 0) return kDamaged;
  const std::string_view text(buffer.data(), ::strnlen(buffer.data(), room));
  if (text.size() == room && room < size - kBinary) return "its header is too large";
  return read_json(text, header);
}

bool read_start(BlockReader& device, std::uint64_t offset, std::string_view magic, Start& start) {
  return device.read(offset, start.data(), start.size()) == 0 &&
         text_at(start, 0, magic.size()) == magic;
}

}  // namespace

const char* read_header(BlockReader& device, std::span<char> buffer, Header& header) {
  constexpr std::size_t kUuidPlace = 168;  // of both versions
  Start start;
  if (!read_start(device, 0, kMagic, start)) return "there is no header on it";
  header.version = static_cast<unsigned>(number_at(start, 6, 2));
  header.uuid.put(text_at(start, kUuidPlace, 40));
  if (!is_uuid(header.uuid.view())) return kDamaged;
  if (header.version == 1) return read_first(start, header);
  if (header.version != 2) return "its version is not known";
  const char* problem = read_second(device, buffer, start, 0, header);
  // Behind one that was being written there is a second one.
  const std::uint64_t second = number_at(start, 8, 8);
  if (problem != kDamaged || !read_start(device, second, kSecondMagic, start) ||
      text_at(start, kUuidPlace, 40) != header.uuid.view()) {
    return problem;
  }
  return read_second(device, buffer, start, second, header);
}

bool is_uuid(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(text, kForm, [](char c, char form) {
    return form == '-' ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

bool parse_opening(std::string_view parameters, Opening& opening) {
  const auto take_word = [&parameters] {
    const std::string_view word = parameters.substr(0, parameters.find(' '));
    parameters.remove_prefix(std::min(word.size() + 1, parameters.size()));
    return word;
  };
  const std::string_view key = take_word();
  opening.key = key == "kernel" ? KeySource::kKernel : KeySource::kImage;
  opening.cipher = take_word();
  opening.name = take_word();
  return (key == "image" || key == "kernel") && is_cipher(opening.cipher) &&
         !opening.name.empty() && parameters.empty();
}

void put_key_path(std::string_view uuid, TextBuffer& out) { out.put("/etc/volume-key-", uuid); }

void put_key_description(std::string_view uuid, TextBuffer& out) {
  out.put("kdump-cryptsetup:vk-", uuid);
}

void put_dm_uuid(unsigned version, std::string_view uuid, std::string_view name, TextBuffer& out) {
  out.put("CRYPT-LUKS", version, '-');
  for (const char c : uuid) {
    if (c != '-') out.put(c);
  }
  out.put('-', name);
}

}  // namespace kdinit::luks
