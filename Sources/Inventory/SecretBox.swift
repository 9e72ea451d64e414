internal import Crypto
package import Foundation

/// Seals the accounts' passwords: AES-256-GCM with a key from a file that only its owner may read.
///
/// What is sealed is bound to the account's identity, so that a row's secret copied to another row does not open.
package struct SecretBox: Sendable {
    private struct Key {
        let id: String
        let key: SymmetricKey
    }

    private let key: Result<Key, any Error>

    /// Names the key beside each secret: the first 16 hexadecimal digits of the key's SHA-256.
    ///
    /// - Throws: what was wrong with the key.
    package var keyID: String { get throws { try key.get().id } }

    /// The box that `open` gives; if that fails, one that says why when it is needed: not every command needs it.
    package init(opening open: () throws -> SecretBox) {
        do { self = try open() } catch { key = .failure(error) }
    }

    /// Reads the key: 32 bytes as 64 hexadecimal digits.
    ///
    /// - Throws: ``InventoryError`` with code `key` if the file is missing, readable by others, or no key.
    package init(keyFile: String) throws {
        var status = stat()
        guard stat(keyFile, &status) == 0 else {
            throw InventoryError(.key, "cannot read the key file \(keyFile): \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw InventoryError(.key, "the key file \(keyFile) can be read by others; run: chmod 600 \(keyFile)")
        }
        guard let text = try? String(contentsOfFile: keyFile, encoding: .utf8),
            let bytes = Self.bytes(hexadecimal: text.trimmingCharacters(in: .whitespacesAndNewlines)),
            bytes.count == 32
        else {
            throw InventoryError(.key, "the key file \(keyFile) holds no key: expected 64 hexadecimal digits")
        }
        key = .success(
            Key(
                id: SHA256.hash(data: bytes).prefix(8).map { String(format: "%02x", $0) }.joined(),
                key: SymmetricKey(data: bytes)))
    }

    /// Makes a key file of mode 0600 unless there is one; two at once make one.
    package static func createKeyFile(at path: String) throws {
        if access(path, F_OK) == 0 { return }
        let key = SymmetricKey(size: .bits256).withUnsafeBytes { bytes in
            bytes.map { String(format: "%02x", $0) }.joined()
        }
        // Written aside and linked into place: whoever comes second finds a whole key.
        let draft = "\(path).\(getpid()).\(UUID().uuidString)"
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw InventoryError(.key, "cannot create the key file \(path): \(String(cString: strerror(errno)))")
        }
        defer { unlink(draft) }
        let line = Array((key + "\n").utf8)
        let written = write(file, line, line.count)
        let synced = fsync(file)
        close(file)
        guard written == line.count, synced == 0, link(draft, path) == 0 || errno == EEXIST else {
            throw InventoryError(.key, "cannot write the key file \(path): \(String(cString: strerror(errno)))")
        }
    }

    package func seal(_ secret: String, for identity: String) throws -> Data {
        let box = try AES.GCM.seal(Data(secret.utf8), using: key.get().key, authenticating: Data(identity.utf8))
        guard let combined = box.combined else { throw InventoryError(.key, "the password could not be sealed") }
        return combined
    }

    /// - Throws: ``InventoryError`` with code `key` if it was sealed with another key or for another identity.
    package func unseal(_ sealed: Data, for identity: String, account: String) throws -> String {
        let key = try key.get().key
        guard let box = try? AES.GCM.SealedBox(combined: sealed),
            let clear = try? AES.GCM.open(box, using: key, authenticating: Data(identity.utf8))
        else {
            throw InventoryError(
                .key,
                "the password of account \(account) was sealed with another key; set WIRELOOM_KEY_FILE to that "
                    + "key, or give the password again: wireloom account update \(account) --password-stdin")
        }
        return String(decoding: clear, as: UTF8.self)
    }

    private static func bytes(hexadecimal text: String) -> [UInt8]? {
        guard text.utf8.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        var rest = Substring(text)
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
