import CPostgres

extension Connection {
    /// Runs `body` in a transaction (READ COMMITTED), or inside one in a savepoint; rolls back what `body` did when it
    /// throws.
    ///
    /// - Throws: what `body` throws, or ``DatabaseError``; with `commitUnknown` where the connection was lost during
    ///   COMMIT.
    package func transaction<T>(_ body: () throws -> T) throws -> T {
        if isInTransaction { return try savepoint(body) }
        try script("BEGIN ISOLATION LEVEL READ COMMITTED")
        let value: T
        do {
            transactionDepth += 1
            defer { transactionDepth -= 1 }
            value = try body()
        } catch {
            rollBack()
            throw error
        }
        try commit()
        return value
    }

    private func savepoint<T>(_ body: () throws -> T) throws -> T {
        let name = "w\(transactionDepth)"
        try script("SAVEPOINT \(name)")
        transactionDepth += 1
        defer { transactionDepth -= 1 }
        let value: T
        do {
            value = try body()
        } catch {
            abandonCopy()
            // If this fails the outer transaction fails with it, and the first error is the one to tell.
            try? script("ROLLBACK TO SAVEPOINT \(name); RELEASE SAVEPOINT \(name)")
            throw error
        }
        try script("RELEASE SAVEPOINT \(name)")
        return value
    }

    private func commit() throws {
        let start = ContinuousClock.now
        let handle: OpaquePointer
        do {
            handle = try ready()
        } catch {
            rollBack()
            throw error
        }
        let result = ResultHandle(PQexec(handle, "COMMIT"))
        do {
            try check(result, "COMMIT", since: start)
        } catch let error as DatabaseError where !isUsable {
            throw error.whileCommitting()
        } catch {
            rollBack()
            throw error
        }
        // The server answers COMMIT of a failed transaction with success and the word ROLLBACK.
        guard String(cString: PQcmdStatus(result.pointer)) == "COMMIT" else {
            throw DatabaseError(
                .bug, "a transaction was rolled back at its end, because the error of a statement in it was ignored")
        }
    }

    /// Leaves no transaction open; closes the connection where that cannot be had.
    func rollBack() {
        abandonCopy()
        guard isInTransaction else { return }
        do {
            try script("ROLLBACK")
        } catch {
            close()
        }
    }
}
