/// The migrations and the large set-based statements, embedded in the binary by the build.
///
/// The build generates `PackageResources`, one byte array a file; this gives them names and text.
package enum SQLFiles {}
