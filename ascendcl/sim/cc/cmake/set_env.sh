# Makes the simulated AscendCL the toolkit of this shell: `source set_env.sh`. The names are those of the real one.
if [ -n "${BASH_SOURCE:-}" ]; then
    _ascendcl_sim_file="${BASH_SOURCE[0]}"
elif [ -n "${ZSH_VERSION:-}" ]; then
    _ascendcl_sim_file="$0"
else
    _ascendcl_sim_file="@PREFIX@/set_env.sh"
fi
ASCEND_HOME_PATH="$(cd "$(dirname "$_ascendcl_sim_file")" && pwd)"
# bin/setenv.bash is this file, too.
if [ "$(basename "$ASCEND_HOME_PATH")" = bin ]; then
    ASCEND_HOME_PATH="$(dirname "$ASCEND_HOME_PATH")"
fi
unset _ascendcl_sim_file
export ASCEND_HOME_PATH
export ASCEND_INSTALL_PATH="$ASCEND_HOME_PATH"
export ASCEND_TOOLKIT_HOME="$ASCEND_HOME_PATH"
export ASCEND_CANN_PACKAGE_PATH="$ASCEND_HOME_PATH"
export DDK_PATH="$ASCEND_HOME_PATH"
export NPU_HOST_LIB="$ASCEND_HOME_PATH/lib64"
export PATH="$ASCEND_HOME_PATH/bin:$PATH"
export LD_LIBRARY_PATH="$ASCEND_HOME_PATH/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export CMAKE_PREFIX_PATH="$ASCEND_HOME_PATH${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}"
export PKG_CONFIG_PATH="$ASCEND_HOME_PATH/lib64/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
