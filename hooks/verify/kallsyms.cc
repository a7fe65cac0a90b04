// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/kallsyms.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace kd::verify {
namespace {

// Debian's 6.12 has 200,000.
constexpr std::uint64_t kMostSymbols = 1 << 23;
constexpr std::size_t kTokens = 256;
// A token is a piece of a name; KSYM_NAME_LEN is 512.
constexpr std::size_t kLongestName = 2048;
constexpr std::size_t kChunk = 1 << 16;
constexpr std::size_t kPage = 4096;

using Error = KallsymsError;

tl::unexpected<Error> contradiction(std::string reason) {
  return tl::unexpected(Error{std::move(reason), std::nullopt});
}

tl::unexpected<Error> unread(Unread error) { return tl::unexpected(Error{{}, std::move(error)}); }

// Bytes one after the other, read in pieces: how long the table of names is stands nowhere.
class Stream {
 public:
  Stream(const Memory& memory, std::uint64_t address, std::size_t chunk = kChunk)
      : memory_(memory), address_(address), chunk_(chunk) {}

  Read<std::uint8_t> next() {
    if (at_ == bytes_.size()) {
      if (Read<void> filled = fill(); !filled) return tl::unexpected(std::move(filled).error());
    }
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }

 private:
  // What follows the table may not be in the dump: then its pages come one by one.
  Read<void> fill() {
    address_ += bytes_.size();
    at_ = 0;
    bytes_.resize(chunk_ - address_ % chunk_);
    if (memory_.read(address_, bytes_)) return {};
    bytes_.resize(kPage - address_ % kPage);
    Read<void> done = memory_.read(address_, bytes_);
    if (!done) bytes_.clear();
    return done;
  }

  const Memory& memory_;
  std::uint64_t address_;
  std::size_t chunk_;
  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
};

using Tokens = std::array<std::string, kTokens>;

tl::expected<Tokens, Error> read_tokens(const Memory& memory, const KallsymsPlaces& places) {
  Read<std::vector<std::byte>> index =
      read_bytes(memory, places.token_index, kTokens * sizeof(std::uint16_t));
  if (!index) return unread(std::move(index).error());
  Tokens tokens;
  for (std::size_t i = 0; i < kTokens; ++i) {
    const std::uint64_t at = number(*index, i * sizeof(std::uint16_t), sizeof(std::uint16_t));
    Stream stream(memory, places.token_table + at, kPage);
    for (;;) {
      Read<std::uint8_t> byte = stream.next();
      if (!byte) return unread(std::move(byte).error());
      if (*byte == 0) break;
      if (tokens[i].size() == kLongestName) return contradiction("a token of kallsyms has no end");
      tokens[i].push_back(static_cast<char>(*byte));
    }
  }
  return tokens;
}

// Since Linux 6.1 a length beyond 127 takes two bytes, of which the first has its highest bit set.
Read<std::size_t> read_length(Stream& stream) {
  Read<std::uint8_t> low = stream.next();
  if (!low) return tl::unexpected(std::move(low).error());
  if ((*low & 0x80) == 0) return *low;
  Read<std::uint8_t> high = stream.next();
  if (!high) return tl::unexpected(std::move(high).error());
  return (*low & 0x7FU) | (std::size_t{*high} << 7);
}

// kallsyms_sym_address(): what an entry of the table ever meant.
enum class Meaning { kRelative, kAbsolutePercpu, kPlaceRelative, kAddress };

// `place` is the address of the entry itself.
std::uint64_t meant(Meaning meaning, std::uint64_t entry, std::uint64_t base, std::uint64_t place) {
  const auto offset = static_cast<std::int32_t>(static_cast<std::uint32_t>(entry));
  switch (meaning) {
    case Meaning::kAddress:
      return entry;
    case Meaning::kRelative:
      return base + static_cast<std::uint32_t>(entry);
    case Meaning::kPlaceRelative:
      return place + static_cast<std::uint64_t>(std::int64_t{offset});
    case Meaning::kAbsolutePercpu:
      break;
  }
  return offset >= 0 ? static_cast<std::uint64_t>(offset)
                     : base - 1 - static_cast<std::uint64_t>(std::int64_t{offset});
}

// Symbols that stand in VMCOREINFO as well.
constexpr std::string_view kKnown[] = {"_stext", "init_uts_ns", "prb"};

struct Entries {
  const Memory& memory;
  const KallsymsPlaces& places;
  std::uint64_t base = 0;

  // The address of a symbol.
  [[nodiscard]] Read<std::uint64_t> at(std::uint32_t index, Meaning meaning) const {
    const std::uint64_t width = places.offsets == 0 ? 8 : 4;
    const std::uint64_t place =
        (places.offsets == 0 ? places.addresses : places.offsets) + index * width;
    Read<std::uint64_t> entry = read_number(memory, place, width);
    if (entry) *entry = meant(meaning, *entry, base, place);
    return entry;
  }
};

// The meaning under which every symbol that is known otherwise lies where it is.
tl::expected<Meaning, Error> find_meaning(const Entries& entries, const Vmcoreinfo& info,
                                          const std::map<std::string, Symbol>& found) {
  const std::vector<Meaning> candidates =
      entries.places.offsets == 0
          ? std::vector<Meaning>{Meaning::kAddress}
          : std::vector<Meaning>{Meaning::kRelative, Meaning::kAbsolutePercpu,
                                 Meaning::kPlaceRelative};
  for (const Meaning meaning : candidates) {
    bool right = false;
    for (const std::string_view name : kKnown) {
      const auto symbol = found.find(std::string(name));
      const std::optional<std::uint64_t> known = info.symbol(name);
      if (symbol == found.end() || !known) continue;
      Read<std::uint64_t> address = entries.at(symbol->second.index, meaning);
      if (!address) return unread(std::move(address).error());
      right = *address == *known;
      if (!right) break;
    }
    if (right) return meaning;
  }
  return contradiction("kallsyms has another form than the kernels that are known");
}

}  // namespace

Result<KallsymsPlaces> kallsyms_places(const Vmcoreinfo& info) {
  const auto at = [&info](std::string_view name) { return info.symbol(name).value_or(0); };
  const KallsymsPlaces places{.count = at("kallsyms_num_syms"),
                              .names = at("kallsyms_names"),
                              .token_table = at("kallsyms_token_table"),
                              .token_index = at("kallsyms_token_index"),
                              .offsets = at("kallsyms_offsets"),
                              .relative_base = at("kallsyms_relative_base"),
                              .addresses = at("kallsyms_addresses")};
  const bool listed =
      places.count != 0 && places.names != 0 && places.token_table != 0 && places.token_index != 0;
  if (!listed || (places.offsets == 0 && places.addresses == 0)) {
    return fail(ErrorKind::kTargetNotSupported,
                "the kernel does not tell where its symbols are (VMCOREINFO has kallsyms since "
                "Linux 6.0, with CONFIG_KALLSYMS)");
  }
  return places;
}

tl::expected<std::uint32_t, KallsymsError> for_each_symbol(
    const Memory& memory, const KallsymsPlaces& places,
    const std::function<void(const Symbol&)>& visit) {
  Read<std::uint64_t> count = read_number(memory, places.count, 4);
  if (!count) return unread(std::move(count).error());
  if (*count == 0 || *count > kMostSymbols) {
    return contradiction(fmt::format("kallsyms counts {} symbols", *count));
  }
  tl::expected<Tokens, Error> tokens = read_tokens(memory, places);
  if (!tokens) return tl::unexpected(std::move(tokens).error());
  Stream stream(memory, places.names);
  Symbol symbol;
  for (std::uint32_t index = 0; index < *count; ++index) {
    Read<std::size_t> length = read_length(stream);
    if (!length) return unread(std::move(length).error());
    symbol.name.clear();
    for (std::size_t i = 0; i < *length; ++i) {
      Read<std::uint8_t> token = stream.next();
      if (!token) return unread(std::move(token).error());
      symbol.name += (*tokens)[*token];
      if (symbol.name.size() > kLongestName) {
        return contradiction(fmt::format("symbol {} of kallsyms has no end", index));
      }
    }
    if (symbol.name.empty()) {
      return contradiction(fmt::format("symbol {} of kallsyms has no name", index));
    }
    symbol.type = symbol.name.front();
    symbol.name.erase(0, 1);
    symbol.index = index;
    visit(symbol);
  }
  return static_cast<std::uint32_t>(*count);
}

tl::expected<SymbolTable, KallsymsError> find_symbols(const Memory& memory,
                                                      const KallsymsPlaces& places,
                                                      const Vmcoreinfo& info,
                                                      std::span<const std::string_view> wanted) {
  std::map<std::string, Symbol> found;
  const auto take = [&](const Symbol& symbol) {
    if (std::ranges::find(wanted, symbol.name) == wanted.end() &&
        std::ranges::find(kKnown, symbol.name) == std::end(kKnown)) {
      return;
    }
    const auto [at, fresh] = found.emplace(symbol.name, symbol);
    // Of several with one name the global one is meant.
    if (!fresh && std::islower(static_cast<unsigned char>(at->second.type)) &&
        std::isupper(static_cast<unsigned char>(symbol.type))) {
      at->second = symbol;
    }
  };
  tl::expected<std::uint32_t, Error> count = for_each_symbol(memory, places, take);
  if (!count) return tl::unexpected(std::move(count).error());
  Entries entries{memory, places};
  if (places.relative_base != 0) {
    Read<std::uint64_t> base = read_number(memory, places.relative_base);
    if (!base) return unread(std::move(base).error());
    entries.base = *base;
  }
  tl::expected<Meaning, Error> meaning = find_meaning(entries, info, found);
  if (!meaning) return tl::unexpected(std::move(meaning).error());
  SymbolTable table{.count = *count};
  for (const std::string_view name : wanted) {
    const auto symbol = found.find(std::string(name));
    if (symbol == found.end()) continue;
    Read<std::uint64_t> address = entries.at(symbol->second.index, *meaning);
    if (!address) return unread(std::move(address).error());
    table.addresses[std::string(name)] = *address;
  }
  return table;
}

}  // namespace kd::verify
