/// The name that somebody who wrote `text` most likely meant: at most a third of it differs. Nil if there is none.
func nearestName<Name: StringProtocol>(to text: String, among names: [Name]) -> Name? {
    let distances = names.map { (name: $0, distance: editDistance(Array(text.utf8), Array($0.utf8))) }
    guard let best = distances.min(by: { $0.distance < $1.distance }), best.distance <= max(1, text.utf8.count / 3) else {
        return nil
    }
    return best.name
}

/// Bytes to insert, remove or replace to turn one text into the other (Levenshtein).
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for (i, byte) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
            let replaced = diagonal + (b[j] == byte ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
        }
    }
    return row[b.count]
}
