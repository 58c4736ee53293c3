# The kernel projects of the toolkit's CMake, by sim-cc:
#
#   ascendc_library(TARGET STATIC|SHARED FILE...)      a library of files with kernels, and with headers aclrtlaunch_KERNEL.h
#                                                      for ACLRT_LAUNCH_KERNEL(KERNEL)(blocks, stream, arguments)
#   ascendc_fatbin_library(TARGET FILE...)             ${CMAKE_INSTALL_PREFIX}/fatbin/TARGET/TARGET.o, an object for
#                                                      aclrtBinaryLoadFromFile
#   ascendc_compile_definitions(TARGET VISIBILITY DEFINITION...), ascendc_compile_options, ascendc_include_directories
#
# RUN_MODE and SOC_VERSION have no effect: the simulated cores are always those of dav-2201.
get_filename_component(_ascendcl_sim_cann "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
include("${_ascendcl_sim_cann}/lib64/cmake/AscendCLSim/AscendCLSimConfig.cmake")
if(NOT ASCEND_CANN_PACKAGE_PATH)
    set(ASCEND_CANN_PACKAGE_PATH "${_ascendcl_sim_cann}")
endif()
unset(_ascendcl_sim_cann)

function(ascendc_library target kind)
    add_library(${target} ${kind})
    set(headers "${CMAKE_CURRENT_BINARY_DIR}/include/${target}")
    file(MAKE_DIRECTORY "${headers}")
    target_include_directories(${target} INTERFACE "${headers}")
    ascendcl_sim_sources(${target} LAUNCH_HEADERS "${headers}" ${ARGN})
endfunction()

function(ascendc_fatbin_library target)
    set(object "${CMAKE_CURRENT_BINARY_DIR}/${target}.so")
    set(folder "${CMAKE_INSTALL_PREFIX}/fatbin/${target}")
    ascendcl_sim_kernels(${target} OUTPUT "${object}" SOURCES ${ARGN})
    add_custom_command(TARGET ${target} POST_BUILD
        COMMAND "${CMAKE_COMMAND}" -E make_directory "${folder}"
        COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${object}" "${folder}/${target}.o"
        VERBATIM)
endfunction()

# By the property: the target may be one that the commands of CMake do not take.
macro(_ascendc_append property target)
    foreach(_ascendc_value IN ITEMS ${ARGN})
        if(NOT _ascendc_value MATCHES "^(PUBLIC|PRIVATE|INTERFACE)$")
            set_property(TARGET ${target} APPEND PROPERTY ${property} "${_ascendc_value}")
        endif()
    endforeach()
endmacro()

function(ascendc_compile_definitions target)
    list(TRANSFORM ARGN REPLACE "^-D" "")
    _ascendc_append(COMPILE_DEFINITIONS ${target} ${ARGN})
endfunction()

function(ascendc_compile_options target)
    _ascendc_append(COMPILE_OPTIONS ${target} ${ARGN})
endfunction()

function(ascendc_include_directories target)
    set(paths)
    foreach(path IN LISTS ARGN)
        if(NOT path MATCHES "^(PUBLIC|PRIVATE|INTERFACE|\\$<.*)$")
            get_filename_component(path "${path}" ABSOLUTE)
        endif()
        list(APPEND paths "${path}")
    endforeach()
    _ascendc_append(INCLUDE_DIRECTORIES ${target} ${paths})
endfunction()
