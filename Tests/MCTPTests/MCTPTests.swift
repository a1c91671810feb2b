import MCTP
import Testing

@Test func oneFrameGoesThrough() {
    let bytes: [UInt8] = [0x7e, 0x01, 0x07, 0x01, 0x09, 0x08, 0xc8, 0x7d, 0x5e, 0x7d, 0x5d, 0x5a, 0x8c, 0xcc, 0x7e]
    var decoder = SerialDecoder()
    var offset = 0
    let span = unsafe bytes.span.bytes
    let event = decoder.next(span, &offset)
    #expect(event == .inScratch(7))
    #expect(offset == bytes.count)
    let long: [UInt8] = [0x7e, 0x01, 0x09, 0x01, 0x09, 0x08, 0xc9, 0x00, 0x81, 0x01, 0x00, 0x09, 0x0b, 0x6e, 0x7e]
    let span2 = unsafe long.span.bytes
    offset = 0
    let second = decoder.next(span2, &offset)
    #expect(second == .inInput(3..<12))
}
