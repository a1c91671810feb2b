import DeviceModel

extension DeviceState {
    /// Gives all rows to `sink`, as if everything had changed.
    public func put<Sink: ChangeSink & ~Copyable>(into sink: inout Sink) throws(Sink.Failure) {
        if let device { try sink.put(device) }
        for row in regions { try sink.put(row) }
        for row in hosts { try sink.put(row) }
        for row in extents { try sink.put(row) }
        for row in objects { try sink.put(row) }
        for row in tags { try sink.put(row) }
        for row in backends { try sink.put(row) }
        for row in offers { try sink.put(row) }
        for row in events { try sink.put(row) }
        for row in history { try sink.put(row) }
    }
}
