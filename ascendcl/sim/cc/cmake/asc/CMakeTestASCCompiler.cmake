# Nothing is to be found out: the compiler came with this file.
set(CMAKE_ASC_COMPILER_WORKS TRUE CACHE INTERNAL "")
