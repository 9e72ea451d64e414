import Foundation

/// Foundation's own.
func systemBase64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
