internal import CXML

/// What decoding costs, beside what it cannot cost less than: for benchmarks, without a network.
package enum DecodingCost {
    /// libcurl's largest piece.
    private static let chunk = 16 << 10

    package struct Decoded: Sendable {
        package var records: Int
        /// What the parser held of the answer at most: the largest object, however many there are.
        package var heldBytes: Int
    }

    /// Decodes a WaitForUpdatesEx answer from memory, in pieces as they come off the wire.
    package static func decode(_ answer: [UInt8], visit: (InventoryRecord) -> Void = { _ in }) throws -> Decoded {
        try withoutActuallyEscaping(visit) { visit in
            var change = ObjectChange()
            var count = 0
            let parser = try DocumentParser(.inventory) { element in
                try change.read(element)
                guard let record = InventoryRecord(change) else { return }
                count += 1
                visit(record)
            }
            try inPieces(answer) { try parser.feed($0) }
            _ = try parser.finish()
            return Decoded(records: count, heldBytes: parser.heldBytes)
        }
    }

    /// The same bytes through libxml2 with callbacks that do nothing; `true` if they are well-formed.
    package static func walk(_ answer: [UInt8]) -> Bool {
        var handler = xmlSAXHandler()
        handler.initialized = UInt32(XML_SAX2_MAGIC)
        handler.startElementNs = { _, _, _, _, _, _, _, _, _ in }
        handler.endElementNs = { _, _, _, _ in }
        handler.characters = { _, _, _ in }
        handler.ignorableWhitespace = handler.characters
        let context = xmlCreatePushParserCtxt(&handler, nil, nil, 0, nil)
        defer { xmlFreeParserCtxt(context) }
        xmlCtxtUseOptions(context, Int32(XML_PARSE_NONET.rawValue | XML_PARSE_HUGE.rawValue))
        inPieces(answer) { piece in
            _ = piece.withMemoryRebound(to: CChar.self) { xmlParseChunk(context, $0.baseAddress, Int32($0.count), 0) }
        }
        return xmlParseChunk(context, nil, 0, 1) == 0
    }

    private static func inPieces(_ answer: [UInt8], _ body: (UnsafeBufferPointer<UInt8>) throws -> Void) rethrows {
        try answer.withUnsafeBufferPointer { all in
            for start in stride(from: 0, to: all.count, by: chunk) {
                try body(UnsafeBufferPointer(rebasing: all[start..<min(start + chunk, all.count)]))
            }
        }
    }
}
