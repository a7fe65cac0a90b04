// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/btf_types.h"

#include <bpf/btf.h>
#include <gtest/gtest.h>

namespace kd::verify {
namespace {

// struct outer { union { long id; struct inner { int a; int b[3]; } named; }; const inner_t last; }
// as libbpf itself writes it.
std::vector<std::byte> sample() {
  struct btf* btf = btf__new_empty();
  const int integer = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
  const int number = btf__add_int(btf, "long", 8, BTF_INT_SIGNED);
  const int array = btf__add_array(btf, integer, integer, 3);
  const int inner = btf__add_struct(btf, "inner", 16);
  btf__add_field(btf, "a", integer, 0, 0);
  btf__add_field(btf, "b", array, 32, 0);
  const int choice = btf__add_union(btf, nullptr, 16);
  btf__add_field(btf, "id", number, 0, 0);
  btf__add_field(btf, "named", inner, 0, 0);
  const int alias = btf__add_typedef(btf, "inner_t", inner);
  const int constant = btf__add_const(btf, alias);
  btf__add_struct(btf, "outer", 40);
  btf__add_field(btf, "first", number, 0, 0);
  btf__add_field(btf, nullptr, choice, 64, 0);
  btf__add_field(btf, "last", constant, 192, 0);
  btf__add_enum(btf, "kind", 4);
  btf__add_enum_value(btf, "kind_third", 3);
  std::uint32_t size = 0;
  const auto* data = static_cast<const std::byte*>(btf__raw_data(btf, &size));
  std::vector<std::byte> bytes(data, data + size);
  btf__free(btf);
  return bytes;
}

TEST(BtfTypes, MembersOfAnonymousOnesAreFound) {
  const auto types = BtfTypes::parse(sample()).value();
  EXPECT_EQ(types->size("outer"), 40U);
  EXPECT_EQ(types->member("outer", "id")->offset, 8U);
  EXPECT_EQ(types->member("outer", "named.b")->offset, 12U);
  EXPECT_EQ(types->member("outer", "named.b")->size, 12U);
  EXPECT_EQ(types->member("outer", "last.b")->offset, 28U);
  EXPECT_EQ(types->enumerator("kind_third"), 3U);
}

TEST(BtfTypes, WhatIsNotThereIsNotFound) {
  const auto types = BtfTypes::parse(sample()).value();
  EXPECT_FALSE(types->size("absent"));
  EXPECT_FALSE(types->member("outer", "a"));
  EXPECT_FALSE(types->member("outer", "first.a"));
  EXPECT_FALSE(types->member("outer", ""));
  EXPECT_FALSE(types->enumerator("kind_fourth"));
}

TEST(BtfTypes, DataThatAreCutOffAreAnError) {
  const std::vector<std::byte> bytes = sample();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(BtfTypes::parse(std::span(bytes).first(size)).has_value()) << size;
  }
}

}  // namespace
}  // namespace kd::verify
