#ifndef ADDER_H
#define ADDER_H

#include <cstdint>

constexpr uint32_t ADDER_EACH = 64;

extern "C" void AddOne(uint32_t blocks, void* stream, int32_t* x);

#endif
