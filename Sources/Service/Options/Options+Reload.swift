extension Options {
    /// What differs in `fresh` and cannot change while the service runs, by its name in the configuration file.
    func differencesThatNeedARestart(_ fresh: Options) -> [String] {
        var names: [String] = []
        func compare<Value: Equatable>(_ name: String, _ value: (Options) -> Value) {
            if value(self) != value(fresh) { names.append(name) }
        }
        compare("kind, capacity") { $0.pool }
        compare("regions") { $0.regions }
        compare("hosts") { $0.hosts }
        compare("sharable-regions") { $0.sharableRegions }
        compare("block-size") { $0.blockSize }
        compare("eid") { $0.eid }
        compare("state-dir") { $0.stateDirectory }
        compare("packet-size") { $0.packetSize }
        compare("max-extents, max-tags, event-log-size") { [$0.maximumExtents, $0.maximumTags, $0.eventLogSize] }
        compare("listener") { $0.listeners }
        return names
    }
}
