/// A call of a method on a managed object.
struct SOAPRequest {
    let operation: StaticString
    let this: ManagedObjectReference
    /// Whether the server may get it twice: not what starts a task.
    let isRepeatable: Bool
    /// Writes the parameters after `_this`.
    let parameters: (inout ElementWriter) -> Void

    init(
        _ operation: StaticString, on this: ManagedObjectReference, isRepeatable: Bool = true,
        _ parameters: @escaping (inout ElementWriter) -> Void = { _ in }
    ) {
        self.operation = operation
        self.this = this
        self.isRepeatable = isRepeatable
        self.parameters = parameters
    }

    var envelope: [UInt8] {
        var writer = ElementWriter()
        writer.raw(
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" \
            xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\
            <soapenv:Body><
            """)
        writer.raw(operation)
        writer.raw(" xmlns=\"urn:vim25\">")
        writer.element("_this", this)
        parameters(&writer)
        writer.raw("</")
        writer.raw(operation)
        writer.raw("></soapenv:Body></soapenv:Envelope>")
        return writer.bytes
    }
}
