/// One that draws in a race.
public struct RaceLane: Sendable, Equatable, Identifiable {
    public let file: String
    public let precision: String
    public let units: ComputeUnits
    /// Drawn so far, those to warm up apart.
    public private(set) var images = 0
    /// That they took.
    public private(set) var time = Duration.zero
    /// Why it does not draw; nil: it does.
    public internal(set) var problem: String?

    public var id: String { "\(file) \(units.rawValue)" }

    public init(_ artifact: Manifest.Artifact, on units: ComputeUnits) {
        file = artifact.file
        precision = artifact.precision
        self.units = units
    }

    /// Nil before the first image and of a lane that is out.
    public var imagesPerSecond: Double? {
        time > .zero && problem == nil ? 1000 * Double(images) / time.milliseconds : nil
    }

    mutating func add(_ duration: Duration) {
        images += 1
        time += duration
    }
}

/// Lanes that draw in turn, each for a moment, so that none slows another down.
public struct Race: Sendable {
    public typealias Draw = @Sendable (_ seed: UInt64) async throws -> RGBImage

    public struct Entrant: Sendable {
        let lane: RaceLane
        let draw: Draw

        public init(_ lane: RaceLane, draw: @escaping Draw) {
            self.lane = lane
            self.draw = draw
        }
    }

    /// Images of each lane before the race; the first loads the model.
    public var warmup = 5
    /// How long a lane draws before the next one does; at least one image.
    public var turn = Duration.milliseconds(100)
    public var rounds = 30

    public init() {}

    /// Runs the race.
    ///
    /// What a lane throws takes it out; a cancelled task ends the race after the image that is being drawn.
    ///
    /// - Parameters:
    ///   - clock: that times the images.
    ///   - update: is told the lanes after each turn, with the last image of the lane whose turn it was.
    /// - Returns: the lanes.
    public func run<Time: Clock<Duration>>(
        _ entrants: [Entrant],
        clock: Time = ContinuousClock(),
        update: @Sendable (_ lanes: [RaceLane], _ index: Int, _ image: RGBImage?) async -> Void
    ) async -> [RaceLane] {
        var lanes = entrants.map(\.lane)
        for (index, entrant) in entrants.enumerated() where !Task.isCancelled {
            let image = await draw(entrant, into: &lanes[index]) { lane, draw in
                var last: RGBImage?
                for seed in 0..<UInt64(max(warmup, 1)) {
                    last = try await draw(seed)
                }
                return last
            }
            await update(lanes, index, image)
        }
        for _ in 0..<max(rounds, 0) {
            guard !Task.isCancelled else { break }
            for (index, entrant) in entrants.enumerated() where lanes[index].problem == nil && !Task.isCancelled {
                let image = await draw(entrant, into: &lanes[index]) { lane, draw in
                    try await takeTurn(of: &lane, clock: clock, draw)
                }
                await update(lanes, index, image)
            }
        }
        return lanes
    }

    private func draw(
        _ entrant: Entrant,
        into lane: inout RaceLane,
        _ body: (inout RaceLane, Draw) async throws -> RGBImage?
    ) async -> RGBImage? {
        do {
            return try await body(&lane, entrant.draw)
        } catch is CancellationError {
            return nil
        } catch {
            lane.problem = error.localizedDescription
            return nil
        }
    }

    /// Every lane draws the same seeds: the number of its image.
    private func takeTurn<Time: Clock<Duration>>(
        of lane: inout RaceLane, clock: Time, _ draw: Draw
    ) async throws -> RGBImage? {
        let end = clock.now.advanced(by: turn)
        var last: RGBImage?
        repeat {
            let started = clock.now
            last = try await draw(UInt64(lane.images))
            lane.add(started.duration(to: clock.now))
        } while clock.now < end && !Task.isCancelled
        return last
    }
}

extension Array<RaceLane> {
    /// The fastest first, with how many times as fast as the slowest it is; then those that are out.
    public var standings: [(lane: RaceLane, times: Double?)] {
        let rates = compactMap(\.imagesPerSecond)
        let slowest = rates.min() ?? 1
        return sorted { ($0.imagesPerSecond ?? -1) > ($1.imagesPerSecond ?? -1) }
            .map { lane in (lane, lane.imagesPerSecond.map { $0 / slowest }) }
    }
}

extension Duration {
    /// In milliseconds.
    package var milliseconds: Double {
        Double(components.seconds) * 1e3 + Double(components.attoseconds) * 1e-15
    }
}
