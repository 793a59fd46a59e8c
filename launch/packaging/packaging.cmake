# What an installation has beside the program and the library, and packages for Debian:
#
#     launch/packaging/make-deb [FOLDER]
#
# which configures for /usr, builds, and calls cpack -G DEB.

# -- Manual pages, completion, documents -----------------------------------------------------------
set(packaging ${PROJECT_SOURCE_DIR}/launch/packaging)
set(packaged ${PROJECT_BINARY_DIR}/packaging)
set(manual_pages rnntrain rnntrain-supervise rnntrain-fetch)
find_program(GZIP_PROGRAM gzip REQUIRED)

# Pages and change logs are compressed, without a time stamp, when they are installed.
function(install_compressed source folder name)
  file(MAKE_DIRECTORY ${packaged}/${folder})
  set(output ${packaged}/${folder}/${name}.gz)
  add_custom_command(OUTPUT ${output} DEPENDS ${source}
    COMMAND ${GZIP_PROGRAM} -9nc ${source} > ${output} VERBATIM)
  set_property(GLOBAL APPEND PROPERTY rnn_compressed ${output})
  install(FILES ${output} DESTINATION ${folder} ${ARGN})
endfunction()

foreach(page ${manual_pages})
  install_compressed(${PROJECT_SOURCE_DIR}/launch/${page}.1 ${CMAKE_INSTALL_MANDIR}/man1 ${page}.1
                     COMPONENT program)
endforeach()

# man rnntrain-train, rnntrain-bench, ...: the same page, under the name of every subcommand.
file(STRINGS ${PROJECT_SOURCE_DIR}/launch/rnntrain.1 subcommands REGEX "^\\.It Cm [a-z]+$")
list(TRANSFORM subcommands REPLACE "^\\.It Cm " "")
foreach(name train ${subcommands})
  file(CREATE_LINK rnntrain.1.gz ${packaged}/rnntrain-${name}.1.gz SYMBOLIC)
  install(FILES ${packaged}/rnntrain-${name}.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
          COMPONENT program)
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${PROJECT_SOURCE_DIR}/launch/rnntrain.1)

install(FILES ${PROJECT_SOURCE_DIR}/launch/completion/rnntrain
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
install(PROGRAMS ${PROJECT_SOURCE_DIR}/launch/supervise DESTINATION ${CMAKE_INSTALL_BINDIR}
        RENAME rnntrain-supervise COMPONENT program)
# It looks for its list beside what the link leads to.
install(PROGRAMS ${PROJECT_SOURCE_DIR}/launch/fetch DESTINATION ${CMAKE_INSTALL_DATADIR}/rnntrain
        COMPONENT program)
file(GLOB batch_scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/launch/slurm/*.sbatch)
install(PROGRAMS ${batch_scripts} DESTINATION ${CMAKE_INSTALL_DATADIR}/rnntrain/slurm
        COMPONENT program)
install(FILES ${PROJECT_SOURCE_DIR}/launch/datasets.txt
              ${PROJECT_SOURCE_DIR}/launch/hostfile.example
        DESTINATION ${CMAKE_INSTALL_DATADIR}/rnntrain COMPONENT program)
file(RELATIVE_PATH bin_to_share /prefix/${CMAKE_INSTALL_BINDIR}
     /prefix/${CMAKE_INSTALL_DATADIR}/rnntrain)
file(CREATE_LINK ${bin_to_share}/fetch ${packaged}/rnntrain-fetch SYMBOLIC)
install(FILES ${packaged}/rnntrain-fetch DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${packaging}/CITATION.cff
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/rnntrain COMPONENT program)
# In folders of the same names, so that links between them hold.
foreach(page datasets/README.md framework/checkpoints.md framework/onnx.md launch/configuration.md
             launch/mnist.svg launch/slurm/README.md tests/bench/README.md tests/bench/scaling.svg)
  get_filename_component(folder ${page} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/${page}
          DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/rnntrain/${folder} COMPONENT program)
endforeach()

# -- What Debian wants in the folder of documents of each package ----------------------------------
file(READ ${PROJECT_SOURCE_DIR}/LICENSE licence)
string(REGEX REPLACE "^.*\n(Permission)" "\\1" licence "${licence}")
string(STRIP "${licence}" licence)
string(REPLACE "\n\n" "\n.\n" licence "${licence}")
string(REPLACE "\n" "\n " licence " ${licence}")
configure_file(${packaging}/debian/copyright.in ${packaged}/copyright @ONLY)
set(package_program rnntrain)
set(package_library librnn${PROJECT_VERSION_MAJOR})
set(package_development librnn-dev)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  foreach(component program library development)
    set(documents ${CMAKE_INSTALL_DATADIR}/doc/${package_${component}})
    install(FILES ${packaged}/copyright DESTINATION ${documents} COMPONENT ${component})
    install_compressed(${packaging}/CHANGELOG.md ${documents} changelog COMPONENT ${component})
    install_compressed(${packaging}/debian/changelog ${documents} changelog.Debian
                       COMPONENT ${component})
    install(FILES ${packaging}/debian/${component}.overrides
            DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
            RENAME ${package_${component}} COMPONENT ${component})
  endforeach()
else()
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${packaging}/CHANGELOG.md
          DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/rnntrain COMPONENT program)
endif()

get_property(compressed GLOBAL PROPERTY rnn_compressed)
add_custom_target(compressed ALL DEPENDS ${compressed})

# -- The packages ----------------------------------------------------------------------------------
# rnntrain for those who train; librnn0 and librnn-dev for those who program with the library.
execute_process(COMMAND ${CMAKE_COMMAND} -E env bash -c
  "command -v mpirun >/dev/null && mpirun --version | head -n 1" OUTPUT_VARIABLE mpirun_version
  ERROR_QUIET)
set(launcher openmpi-bin)
if(NOT mpirun_version MATCHES "Open MPI|OpenRTE")
  set(launcher mpich)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "The rnntrain developers")
set(CPACK_PACKAGE_CONTACT "The rnntrain developers <maintainers@rnntrain.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_PROJECT_CONFIG_FILE ${packaging}/check-prefix.cmake)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program library development)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
    GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME ${package_program})
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS ${launcher})
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "hdf5-tools, curl | wget")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS
    "bash-completion, dataset-fashion-mnist, slurm-client, unzip")
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "rnntrain trains vanilla RNN, LSTM and GRU networks on the cores of one
machine or, started by mpirun or srun, of many. A configuration is a TOML
file, a checkpoint is plain HDF5, and parameters come out with the same
bits for any number of ranks and threads and after any interruption.")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${package_library})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${packaging}/debian/triggers)
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "librnn has the recurrent modules, losses and optimizers of rnntrain, which
behave as those of torch.nn do, for programs in C and C++. This package has
the shared library.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME ${package_development})
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "${package_library} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "libdnnl-dev, libhdf5-dev, pkgconf")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "Headers, static library, pkg-config file and CMake package of librnn, the
recurrent modules, losses and optimizers of rnntrain for programs in C and
C++. Who links the static library needs libdnnl-dev and libhdf5-dev.")
include(CPack)
