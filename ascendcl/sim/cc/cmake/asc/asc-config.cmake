# The language ASC of CMake, compiled by sim-cc: find_package(ASC) before project(... LANGUAGES ASC CXX).
list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
set(ASC_FOUND TRUE)
