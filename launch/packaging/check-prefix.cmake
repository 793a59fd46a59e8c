# A package for another prefix would have its library where the loader does not look.
if(CPACK_GENERATOR STREQUAL "DEB" AND NOT CPACK_PACKAGING_INSTALL_PREFIX STREQUAL "/usr")
  message(FATAL_ERROR "a Debian package is for /usr, and this is built for "
                      "${CPACK_PACKAGING_INSTALL_PREFIX}: call launch/packaging/make-deb, or "
                      "configure with -DCMAKE_INSTALL_PREFIX=/usr")
endif()
