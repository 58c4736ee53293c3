# The simulated AscendCL: find_package(AscendCLSim).
#
#   ascendcl_sim::ascendcl                 the library, with its headers; link it as AscendCL
#   ascendcl_sim::sim-cc                   the compiler of kernels
#   ascendcl_sim_sources(TARGET FILE...)   adds files with kernels and launches by <<<...>>> to a target
#   ascendcl_sim_kernels(TARGET OUTPUT OBJECT.so SOURCES FILE... [OPTIONS OPTION...])
#                                          a target that makes an object for aclrtBinaryLoadFromFile
cmake_minimum_required(VERSION 3.16)

get_filename_component(_ascendcl_sim_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET ascendcl_sim::ascendcl)
    add_library(ascendcl_sim::ascendcl SHARED IMPORTED)
    set_target_properties(ascendcl_sim::ascendcl PROPERTIES
        IMPORTED_LOCATION "${_ascendcl_sim_prefix}/lib64/libascendcl.so"
        IMPORTED_NO_SONAME TRUE
        INTERFACE_INCLUDE_DIRECTORIES "${_ascendcl_sim_prefix}/include")
    add_executable(ascendcl_sim::sim-cc IMPORTED)
    set_target_properties(ascendcl_sim::sim-cc PROPERTIES
        IMPORTED_LOCATION "${_ascendcl_sim_prefix}/bin/sim-cc")
endif()

set(AscendCLSim_PREFIX "${_ascendcl_sim_prefix}")
unset(_ascendcl_sim_prefix)

# What the sources of a target are compiled with, as options of sim-cc.
function(_ascendcl_sim_options target result)
    string(TOUPPER "${CMAKE_BUILD_TYPE}" configuration)
    separate_arguments(flags NATIVE_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${configuration}}")
    set(includes "$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>")
    set(defines "$<TARGET_PROPERTY:${target},COMPILE_DEFINITIONS>")
    set(standard "$<TARGET_PROPERTY:${target},CXX_STANDARD>")
    set(${result}
        ${flags}
        "$<$<BOOL:${standard}>:-std=c++${standard}>"
        "$<$<BOOL:${includes}>:-I$<JOIN:${includes},$<SEMICOLON>-I>>"
        "$<$<BOOL:${defines}>:-D$<JOIN:${defines},$<SEMICOLON>-D>>"
        "$<TARGET_PROPERTY:${target},COMPILE_OPTIONS>"
        PARENT_SCOPE)
endfunction()

# LAUNCH_HEADERS is a folder for the headers aclrtlaunch_KERNEL.h, with functions that launch the kernels of the files.
function(ascendcl_sim_sources target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "LAUNCH_HEADERS" "")
    _ascendcl_sim_options(${target} options)
    set(launch_headers)
    if(arg_LAUNCH_HEADERS)
        set(launch_headers --launch-headers "${arg_LAUNCH_HEADERS}")
    endif()
    foreach(source IN LISTS arg_UNPARSED_ARGUMENTS)
        get_filename_component(path "${source}" ABSOLUTE)
        string(MAKE_C_IDENTIFIER "${source}" name)
        set(object "${CMAKE_CURRENT_BINARY_DIR}/${target}_${name}.o")
        set(depfile)
        set(depfile_options)
        if(CMAKE_GENERATOR MATCHES "Ninja" OR NOT CMAKE_VERSION VERSION_LESS 3.20)
            set(depfile DEPFILE "${object}.d")
            set(depfile_options -MD -MT "${object}" -MF "${object}.d")
        endif()
        add_custom_command(
            OUTPUT "${object}"
            COMMAND ascendcl_sim::sim-cc -c "${path}" -o "${object}" ${launch_headers} ${options} ${depfile_options}
            DEPENDS "${path}" ascendcl_sim::sim-cc
            ${depfile}
            COMMENT "Compiling ${source} with sim-cc"
            COMMAND_EXPAND_LISTS VERBATIM)
        set_source_files_properties("${object}" PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
        target_sources(${target} PRIVATE "${object}")
    endforeach()
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
    target_link_libraries(${target} PRIVATE ascendcl_sim::ascendcl)
endfunction()

function(ascendcl_sim_kernels target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUTPUT" "SOURCES;OPTIONS")
    if(NOT arg_OUTPUT OR NOT arg_SOURCES)
        message(FATAL_ERROR "ascendcl_sim_kernels(TARGET OUTPUT OBJECT.so SOURCES FILE...): OUTPUT or SOURCES is missing")
    endif()
    _ascendcl_sim_options(${target} options)
    get_filename_component(output "${arg_OUTPUT}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
    set(sources)
    set(headers)
    foreach(source IN LISTS arg_SOURCES)
        get_filename_component(path "${source}" ABSOLUTE)
        list(APPEND sources "${path}")
        # What a source includes is found by CMake itself, which only its makefiles can.
        if(CMAKE_GENERATOR MATCHES "Makefiles")
            list(APPEND headers CXX "${path}")
        endif()
    endforeach()
    if(headers)
        list(PREPEND headers IMPLICIT_DEPENDS)
    endif()
    add_custom_command(
        OUTPUT "${output}"
        COMMAND ascendcl_sim::sim-cc ${sources} -o "${output}" ${options} ${arg_OPTIONS}
        DEPENDS ${sources} ascendcl_sim::sim-cc
        ${headers}
        COMMENT "Compiling the kernels of ${target} with sim-cc"
        COMMAND_EXPAND_LISTS VERBATIM)
    add_custom_target(${target} ALL DEPENDS "${output}")
    # A target of another kind would have these by itself.
    get_directory_property(includes INCLUDE_DIRECTORIES)
    get_directory_property(defines COMPILE_DEFINITIONS)
    get_directory_property(compile_options COMPILE_OPTIONS)
    set_target_properties(${target} PROPERTIES INCLUDE_DIRECTORIES "${includes}" COMPILE_DEFINITIONS "${defines}"
        COMPILE_OPTIONS "${compile_options}" CXX_STANDARD "${CMAKE_CXX_STANDARD}")
endfunction()
