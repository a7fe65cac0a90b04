// SPDX-License-Identifier: GPL-2.0-or-later
//
// A kernel of our own making: a few processes, their files and maps, modules and mounts, with
// structures laid out unlike any real ones.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hooks/verify/walk.h"

namespace kd::verify {

class FakeMemory final : public Memory {
 public:
  static constexpr std::uint64_t kPage = 4096;

  Read<void> read(std::uint64_t address, std::span<std::byte> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::uint64_t at = address + i;
      const auto page = pages_.find(at / kPage);
      if (page == pages_.end()) {
        return tl::unexpected(Unread{Unread::Kind::kNotInDump, at, at / kPage, "Excluded page"});
      }
      out[i] = page->second[at % kPage];
    }
    return {};
  }

  // Pages appear as they are written to.
  void put(std::uint64_t address, std::uint64_t value, std::size_t size = 8) {
    for (std::size_t i = 0; i < size; ++i, value >>= 8) {
      byte(address + i) = static_cast<std::byte>(value & 0xFF);
    }
  }
  void put(std::uint64_t address, std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i)
      byte(address + i) = static_cast<std::byte>(text[i]);
  }
  void add_pages(std::uint64_t address, std::uint64_t size) {
    for (std::uint64_t at = 0; at < size; at += kPage) (void)byte(address + at);
    if (size > 0) (void)byte(address + size - 1);
  }
  void remove(std::uint64_t address) { pages_.erase(address / kPage); }

 private:
  std::byte& byte(std::uint64_t address) {
    auto& page = pages_[address / kPage];
    page.resize(kPage);
    return page[address % kPage];
  }
  std::map<std::uint64_t, std::vector<std::byte>> pages_;
};

class FakeTypes final : public Types {
 public:
  struct Struct {
    std::uint32_t size = 0;
    std::map<std::string, Member, std::less<>> members;
  };
  std::map<std::string, Struct, std::less<>> structs;
  std::map<std::string, std::uint64_t, std::less<>> enumerators;

  [[nodiscard]] std::optional<std::uint32_t> size(std::string_view type) const override {
    const auto found = structs.find(type);
    return found == structs.end() ? std::nullopt : std::optional(found->second.size);
  }
  [[nodiscard]] std::optional<Member> member(std::string_view type,
                                             std::string_view path) const override {
    const auto found = structs.find(type);
    if (found == structs.end()) return std::nullopt;
    const auto entry = found->second.members.find(path);
    return entry == found->second.members.end() ? std::nullopt : std::optional(entry->second);
  }
  [[nodiscard]] std::optional<std::uint64_t> enumerator(std::string_view name) const override {
    const auto found = enumerators.find(name);
    return found == enumerators.end() ? std::nullopt : std::optional(found->second);
  }
};

// Every object has a page of its own, so that a test can take one away.
class FakeKernel {
 public:
  FakeKernel();

  FakeMemory memory;
  FakeTypes types;
  SymbolTable symbols;

  [[nodiscard]] Kernel kernel() const { return {memory, types, symbols}; }
  std::uint64_t allocate(std::uint64_t size = FakeMemory::kPage);
  // Of `type`, with its pages.
  std::uint64_t object(std::string_view type);
  void set(std::uint64_t address, std::string_view type, std::string_view member,
           std::uint64_t value);
  [[nodiscard]] std::uint64_t at(std::uint64_t address, std::string_view type,
                                 std::string_view member) const;
  // Behind `previous`, in front of the head of a circular list.
  void link(std::uint64_t head, std::uint64_t entry);

  // A process in the list behind init_task, with a stack and a thread group.
  std::uint64_t add_process(std::uint32_t pid, std::string_view name);
  std::uint64_t add_thread(std::uint64_t leader, std::uint32_t pid, std::string_view name);
  std::uint64_t add_file(std::uint64_t task, unsigned descriptor, std::string_view name);
  std::uint64_t add_dentry(std::string_view name, std::uint64_t parent);
  std::uint64_t add_module(std::string_view name);
  std::uint64_t add_mount(std::uint64_t parent, std::uint64_t point);

  std::uint64_t init_task = 0, mount_namespace = 0;

 private:
  void define(const std::string& type, std::uint32_t size,
              const std::map<std::string, Member, std::less<>>& members);
  std::uint64_t new_task(std::uint32_t pid, std::string_view name);
  std::uint64_t next_ = 0xffff888000000000;
};

}  // namespace kd::verify
