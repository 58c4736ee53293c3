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
    set(includes "$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>")
    set(defines "$<TARGET_PROPERTY:${target},COMPILE_DEFINITIONS>")
    set(${result}
        "$<$<BOOL:${includes}>:-I$<JOIN:${includes},$<SEMICOLON>-I>>"
        "$<$<BOOL:${defines}>:-D$<JOIN:${defines},$<SEMICOLON>-D>>"
        PARENT_SCOPE)
endfunction()

function(ascendcl_sim_sources target)
    _ascendcl_sim_options(${target} options)
    foreach(source IN LISTS ARGN)
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
            COMMAND ascendcl_sim::sim-cc -c "${path}" -o "${object}" ${options} ${depfile_options}
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
    get_filename_component(output "${arg_OUTPUT}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
    set(sources)
    foreach(source IN LISTS arg_SOURCES)
        get_filename_component(path "${source}" ABSOLUTE)
        list(APPEND sources "${path}")
    endforeach()
    add_custom_command(
        OUTPUT "${output}"
        COMMAND ascendcl_sim::sim-cc ${sources} -o "${output}" ${arg_OPTIONS}
        DEPENDS ${sources} ascendcl_sim::sim-cc
        COMMENT "Compiling the kernels of ${target} with sim-cc"
        VERBATIM)
    add_custom_target(${target} ALL DEPENDS "${output}")
endfunction()
