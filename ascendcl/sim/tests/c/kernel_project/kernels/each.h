#pragma once
#include <cstdint>

/// Numbers of each core.
constexpr uint32_t EACH = 64;
