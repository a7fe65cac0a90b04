// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/kmod_index.h"

#include <fnmatch.h>
#include <libkmod.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "builder/base/rooted_reader.h"
#include "modsel/index_file.h"

namespace modsel {
namespace {

struct ContextDeleter {
  void operator()(kmod_ctx* context) const { kmod_unref(context); }
};
struct ModuleDeleter {
  void operator()(kmod_module* module) const { kmod_module_unref(module); }
};
struct ModuleListDeleter {
  void operator()(kmod_list* list) const { kmod_module_unref_list(list); }
};
struct InfoListDeleter {
  void operator()(kmod_list* list) const { kmod_module_info_free_list(list); }
};
using Context = std::unique_ptr<kmod_ctx, ContextDeleter>;
using ModuleHandle = std::unique_ptr<kmod_module, ModuleDeleter>;
using ModuleList = std::unique_ptr<kmod_list, ModuleListDeleter>;
using InfoList = std::unique_ptr<kmod_list, InfoListDeleter>;

void discard_log(void*, int, const char*, int, const char*, const char*, va_list) {}

bool matches(const std::string& pattern, const std::string& name) {
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

void append(std::vector<std::string>& to, const std::vector<std::string>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

void append_new(std::vector<std::string>& list, std::string name) {
  if (std::ranges::find(list, name) == list.end()) list.push_back(std::move(name));
}

struct Builtins {
  std::set<std::string> names;
  std::vector<ModprobeConf::Alias> aliases;
};

// modules.builtin: one path a line. modules.builtin.modinfo (Linux 5.2): "MODULE.KEY=VALUE" ended
// by NUL. Read here because libkmod looks at builtin modules only where no file was found, and asks
// /sys/module of the running kernel what is builtin.
Builtins parse_builtins(std::string_view list, std::string_view modinfo) {
  Builtins result;
  for (; !list.empty(); list.remove_prefix(std::min(list.find('\n') + 1, list.size()))) {
    std::string_view line = list.substr(0, list.find('\n'));
    line.remove_prefix(line.rfind('/') + 1);
    result.names.insert(normalise(line.substr(0, line.find('.'))));
    if (list.find('\n') == std::string_view::npos) break;
  }
  for (std::size_t start = 0; start < modinfo.size();) {
    const std::string_view field = modinfo.substr(start, modinfo.find('\0', start) - start);
    start += field.size() + 1;
    const std::size_t key = field.find(".alias=");
    if (key == std::string_view::npos) continue;
    result.aliases.push_back({normalise(field.substr(key + 7)), normalise(field.substr(0, key))});
  }
  return result;
}

// depmod writes what lies elsewhere (depmod.d's "external") with its whole path, and an index made
// by somebody else may say anything.
bool is_below(const std::string& directory, std::string_view path) {
  return path.starts_with(directory + "/") && path.find("/../") == std::string_view::npos;
}

class KmodIndex final : public ModuleIndex {
 public:
  KmodIndex(Context context, std::string directory, ModprobeConf config, Builtins builtins)
      : context_(std::move(context)),
        directory_(std::move(directory)),
        config_(std::move(config)),
        builtins_(std::move(builtins)) {}

  [[nodiscard]] kd::Result<std::vector<std::string>> resolve(std::string_view what) const override;
  [[nodiscard]] kd::Result<ModuleInfo> info(std::string_view name) const override;

 private:
  [[nodiscard]] ModuleHandle file_module(const std::string& name) const;
  [[nodiscard]] std::optional<std::vector<std::string>> configured_alias(
      const std::string& alias) const;
  void add_configuration(ModuleInfo& info) const;
  [[nodiscard]] kd::Result<void> add_modinfo(kmod_module* module, ModuleInfo& info) const;

  Context context_;
  std::string directory_;
  ModprobeConf config_;
  Builtins builtins_;
};

// Null when modules.dep has no such name.
ModuleHandle KmodIndex::file_module(const std::string& name) const {
  kmod_module* module = nullptr;
  kmod_module_new_from_name_lookup(context_.get(), name.c_str(), &module);
  ModuleHandle handle(module);
  return handle && kmod_module_get_path(handle.get()) != nullptr ? std::move(handle) : nullptr;
}

// An `alias` line hides the modules' own aliases, even when it leads nowhere ("alias net-pf-10
// off").
std::optional<std::vector<std::string>> KmodIndex::configured_alias(
    const std::string& alias) const {
  std::vector<std::string> names;
  bool found = false;
  for (const ModprobeConf::Alias& entry : config_.aliases) {
    if (!matches(entry.pattern, alias)) continue;
    found = true;
    if (!config_.blacklist.contains(entry.module) &&
        (file_module(entry.module) || builtins_.names.contains(entry.module))) {
      append_new(names, entry.module);
    }
  }
  if (!found) return std::nullopt;
  return names;
}

kd::Result<std::vector<std::string>> KmodIndex::resolve(std::string_view what) const {
  const std::string alias = normalise(what);
  // libkmod would look "symbol:NAME" up in modules.symbols.bin, which is not proven to be whole.
  if (alias.empty() || alias.starts_with("symbol:")) return std::vector<std::string>{};
  if (auto names = configured_alias(alias)) return *std::move(names);
  if (file_module(alias)) return std::vector<std::string>{alias};

  std::vector<std::string> names;
  kmod_list* found = nullptr;
  const int error = kmod_module_new_from_lookup(context_.get(), alias.c_str(), &found);
  const ModuleList list(found);
  // EINVAL: the brackets of a name do not match; no module has such a name.
  if (error < 0 && error != -EINVAL) {
    return kd::fail_errno(-error, fmt::format("{}: looking up '{}'", directory_, what));
  }
  for (const kmod_list* item = found; item != nullptr; item = kmod_list_next(found, item)) {
    const ModuleHandle module(kmod_module_get_module(item));
    append_new(names, kmod_module_get_name(module.get()));
  }
  for (const ModprobeConf::Alias& entry : builtins_.aliases) {
    if (matches(entry.pattern, alias)) append_new(names, entry.module);
  }
  std::erase_if(names, [this, &alias](const std::string& name) {
    return name != alias && config_.blacklist.contains(name);
  });
  return names;
}

void KmodIndex::add_configuration(ModuleInfo& info) const {
  for (const ModprobeConf::SoftDependencies& entry : config_.softdeps) {
    if (!matches(entry.pattern, info.name)) continue;
    append(info.soft_pre, entry.pre);
    append(info.soft_post, entry.post);
  }
  for (const ModprobeConf::WeakDependencies& entry : config_.weakdeps) {
    if (matches(entry.pattern, info.name)) append(info.weak, entry.modules);
  }
  if (const auto found = config_.options.find(info.name); found != config_.options.end()) {
    info.options = found->second;
  }
  if (const auto found = config_.commands.find(info.name); found != config_.commands.end()) {
    info.warnings.push_back(fmt::format(
        "{} {}: the command is not run, the module is loaded as it is", found->second, info.name));
  }
}

// depmod drops a dependency it cannot find from modules.dep with no more than a warning; the
// module's own list still has it.
kd::Result<void> KmodIndex::add_modinfo(kmod_module* module, ModuleInfo& info) const {
  kmod_list* fields = nullptr;
  const int error = kmod_module_get_info(module, &fields);
  const InfoList list(fields);
  if (error < 0) {
    return kd::fail_errno(-error,
                          fmt::format("{}: reading what the module says of itself", info.path));
  }
  for (const kmod_list* item = fields; item != nullptr; item = kmod_list_next(fields, item)) {
    const std::string_view key = kmod_module_info_get_key(item);
    std::string_view value = kmod_module_info_get_value(item);
    if (key == "firmware") append_new(info.firmware, std::string(value));
    if (key != "depends") continue;
    while (!value.empty()) {
      const std::string_view name = value.substr(0, value.find(','));
      value.remove_prefix(std::min(name.size() + 1, value.size()));
      std::string dependency = normalise(name);
      if (!name.empty() && !builtins_.names.contains(dependency)) {
        append_new(info.depends, std::move(dependency));
      }
    }
  }
  return {};
}

kd::Result<ModuleInfo> KmodIndex::info(std::string_view name) const {
  ModuleInfo info;
  info.name = normalise(name);
  const ModuleHandle module = file_module(info.name);
  if (!module) {
    info.builtin = builtins_.names.contains(info.name);
    if (info.builtin) return info;
    return kd::fail(kd::ErrorKind::kKernelNotFound,
                    "no module {} in {}, neither as a file nor builtin", info.name, directory_);
  }
  info.path = kmod_module_get_path(module.get());
  if (!is_below(directory_, info.path)) {
    return kd::fail(
        kd::ErrorKind::kKernelNotFound,
        "{}, which {}/modules.dep lists, lies outside of that directory; put the module "
        "below it and run 'depmod -a {}'",
        info.path, directory_, std::filesystem::path(directory_).filename().string());
  }
  if (::access(info.path.c_str(), R_OK) < 0) {
    const int error = errno;
    return kd::fail_errno(
        error, fmt::format("{}, which {}/modules.dep lists (run 'depmod -a {}')", info.path,
                           directory_, std::filesystem::path(directory_).filename().string()));
  }
  const ModuleList dependencies(kmod_module_get_dependencies(module.get()));
  for (const kmod_list* item = dependencies.get(); item != nullptr;
       item = kmod_list_next(dependencies.get(), item)) {
    const ModuleHandle dependency(kmod_module_get_module(item));
    append_new(info.depends, kmod_module_get_name(dependency.get()));
  }
  add_configuration(info);
  KD_CHECK(add_modinfo(module.get(), info));
  return info;
}

kd::Result<void> check_indexes(const std::string& directory, const kd::RootedReader& reader) {
  // libkmod opens it with the others; resolve() sees to it that it is never walked.
  KD_CHECK(check_index_header(fmt::format("{}/modules.symbols.bin", directory)));
  for (const std::string_view name : {"modules.dep.bin", "modules.alias.bin", "modules.builtin.bin",
                                      "modules.builtin.alias.bin"}) {
    const std::string path = fmt::format("{}/{}", directory, name);
    // depmod writes this one since kmod 27, and only for kernels that have modules.builtin.modinfo.
    if (name == "modules.builtin.alias.bin" && !std::filesystem::exists(path)) continue;
    KD_TRY(const bool has_entries, check_index_file(path));
    if (name != "modules.dep.bin" || has_entries) continue;
    if (!reader.read("/modules.order").value_or("").empty()) {
      return kd::fail(kd::ErrorKind::kKernelNotFound, "{} lists no module, modules.order does",
                      path);
    }
  }
  return {};
}

}  // namespace

kd::Result<std::unique_ptr<ModuleIndex>> open_kmod_index(const std::string& modules_dir,
                                                         ModprobeConf config) {
  KD_TRY(const kd::RootedReader reader, kd::RootedReader::open(modules_dir));
  const std::filesystem::path directory =
      std::filesystem::absolute(modules_dir + "/").parent_path();
  if (const kd::Result<void> checked = check_indexes(directory, reader); !checked) {
    return kd::fail(kd::ErrorKind::kKernelNotFound, "{}; run 'depmod -a {}'",
                    checked.error().message, directory.filename().string());
  }
  // After modprobe.d, so that softdeps of the administrator come first.
  for (const std::string_view name : {"/modules.softdep", "/modules.weakdep"}) {
    const std::string file = directory.string().append(name);
    parse_modprobe_conf(reader.read(name).value_or(""), file, config);
  }
  const char* const no_config[] = {nullptr};
  Context context(kmod_new(directory.c_str(), no_config));
  if (!context)
    return kd::fail_errno(errno, fmt::format("{}: opening libkmod", directory.string()));
  kmod_set_log_fn(context.get(), discard_log, nullptr);
  if (const int result = kmod_load_resources(context.get()); result < 0) {
    return kd::fail_errno(-result,
                          fmt::format("{}: libkmod cannot load the indexes (run 'depmod -a {}')",
                                      directory.string(), directory.filename().string()));
  }
  return std::make_unique<KmodIndex>(
      std::move(context), directory, std::move(config),
      parse_builtins(reader.read("/modules.builtin").value_or(""),
                     reader.read("/modules.builtin.modinfo").value_or("")));
}

}  // namespace modsel
