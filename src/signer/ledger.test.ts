import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noopLogger } from '../core/logger.ts'
import type { SignLedger } from '../core/signer.ts'
import { isEvolveError } from '../util/errors.ts'
import type { LedgerFile } from './ledger-file.node.ts'
import { newLedger } from './ledger-slots.ts'
import { createLedger } from './ledger.ts'

const address = new Uint8Array(32).fill(7)
const hashOf = (choice: number): Uint8Array => new Uint8Array(32).fill(choice)
const noLock = { acquire: async () => undefined, release: async () => undefined }

/** What goes wrong with the next write: how many bytes the file gets, and whether the process learns of anything. */
interface Fault {
  /** `write` fails after some bytes; `sync` fails with everything in the cache; `die` ends the process before the sync. */
  readonly at: 'write' | 'sync' | 'die'
  readonly bytes: number
  /** Bytes of the unsynced write that a power cut after it leaves on the disk. */
  readonly survives: number
}

/** A disk with a cache: what was written and not synced is read by whoever opens the file, and lost in a power cut. */
function createDisk() {
  let durable = newLedger(address)
  let cached = durable.slice()
  let fault: Fault | undefined
  let unsynced: { readonly offset: number; readonly bytes: Uint8Array } | undefined
  let dead = false
  const file = (): LedgerFile => ({
    read: async () => cached.slice(),
    async write(bytes, offset) {
      if (dead) throw new Error('dead')
      const part = fault?.at === 'write' ? bytes.subarray(0, fault.bytes) : bytes
      cached.set(part, offset)
      unsynced = { offset, bytes: part.slice() }
      if (fault?.at === 'write') throw new Error('ENOSPC')
      if (fault?.at === 'die') {
        dead = true
        throw new Error('dead')
      }
    },
    async sync() {
      if (fault?.at === 'sync') throw new Error('EIO')
      // A sync after a failed one reports success and writes nothing: only what was written again is written.
      if (unsynced !== undefined) durable.set(unsynced.bytes, unsynced.offset)
      unsynced = undefined
    },
    close: async () => undefined,
  })
  return {
    open: async () => file(),
    break(next: Fault | undefined) {
      fault = next
    },
    /** After a failed sync the system takes its cache for written. */
    forget() {
      unsynced = undefined
    },
    restart(powerCut: boolean, survives: number) {
      if (powerCut) {
        if (unsynced !== undefined) durable.set(unsynced.bytes.subarray(0, survives), unsynced.offset)
        unsynced = undefined
        cached = durable.slice()
      }
      dead = false
      fault = undefined
    },
  }
}

function ledgerOn(disk: ReturnType<typeof createDisk>): SignLedger {
  return createLedger({ lock: noLock, open: disk.open, logger: noopLogger }, { path: 'x', address })
}

const faults = fc.record<Fault>({
  at: fc.constantFrom('write', 'sync', 'die'),
  bytes: fc.nat(128),
  survives: fc.nat(128),
})
const steps = fc.oneof(
  { weight: 6, arbitrary: fc.record({ height: fc.integer({ min: -1, max: 2 }), choice: fc.nat(2) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      fault: faults,
      height: fc.integer({ min: 0, max: 2 }),
      choice: fc.nat(2),
      end: fc.constantFrom('goes on', 'restart', 'power cut'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ powerCut: fc.boolean() }) },
)

test('whatever fails, tears, crashes or loses power: one hash a height, and never back', {
  timeout: 60_000,
}, async () => {
  const seen = { signed: 0, refused: 0, failed: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 30 }), async (schedule) => {
      const disk = createDisk()
      let ledger = ledgerOn(disk)
      await ledger.start()
      const signed = new Map<number, number>()
      let highest = 0
      const sign = async (height: number, choice: number): Promise<void> => {
        try {
          await ledger.reserve(height, hashOf(choice))
        } catch (error) {
          if (!isEvolveError(error, 'ALREADY_SIGNED', 'STORE_IO')) throw error
          if (error.code === 'STORE_IO') seen.failed++
          else seen.refused++
          return
        }
        seen.signed++
        expect(height).toBeGreaterThanOrEqual(highest)
        expect(signed.get(height) ?? choice).toBe(choice)
        signed.set(height, choice)
        highest = height
        expect(ledger.last).toEqual({ height, hash: hashOf(choice) })
      }
      const restart = async (powerCut: boolean, survives: number): Promise<void> => {
        await ledger.stop()
        disk.restart(powerCut, survives)
        ledger = ledgerOn(disk)
        await ledger.start()
        const height = ledger.last?.height ?? 0
        expect(height).toBeGreaterThanOrEqual(highest)
        if (height === highest && height > 0)
          expect(ledger.last?.hash).toEqual(hashOf(signed.get(height) ?? 9))
      }
      for (const step of schedule) {
        if ('powerCut' in step) {
          await restart(step.powerCut, 0)
        } else if ('fault' in step) {
          disk.break(step.fault)
          await sign(Math.max(highest + step.height, 1), step.choice)
          if (step.fault.at === 'sync' && step.end !== 'power cut') disk.forget()
          if (step.end !== 'goes on') await restart(step.end === 'power cut', step.fault.survives)
          if (step.fault.at === 'die' && step.end === 'goes on') await restart(false, 0)
          disk.break(undefined)
        } else {
          await sign(Math.max(highest + step.height, 1), step.choice)
        }
      }
    }),
    { numRuns: 1_000 },
  )
  // The schedules reach all of it.
  expect(Math.min(seen.signed, seen.refused, seen.failed)).toBeGreaterThan(500)
})

describe('a write that failed', () => {
  test('is told as such, changes nothing, and the next one goes through', async () => {
    const disk = createDisk()
    const ledger = ledgerOn(disk)
    await ledger.start()
    await ledger.reserve(4, hashOf(1))
    disk.break({ at: 'write', bytes: 50, survives: 0 })
    await expect(ledger.reserve(5, hashOf(1))).rejects.toMatchObject({ code: 'STORE_IO', verdict: 'retry' })
    expect(ledger.last).toEqual({ height: 4, hash: hashOf(1) })
    disk.break(undefined)
    await ledger.reserve(5, hashOf(2))
    expect(ledger.last).toEqual({ height: 5, hash: hashOf(2) })
  })

  test('may have reached the disk: then its header and no other may be signed', async () => {
    const disk = createDisk()
    const ledger = ledgerOn(disk)
    await ledger.start()
    disk.break({ at: 'sync', bytes: 0, survives: 0 })
    await expect(ledger.reserve(5, hashOf(1))).rejects.toMatchObject({ code: 'STORE_IO' })
    disk.break(undefined)
    disk.forget()
    await expect(ledger.reserve(5, hashOf(2))).rejects.toMatchObject({
      code: 'ALREADY_SIGNED',
      verdict: 'halt',
    })
    await ledger.reserve(5, hashOf(1))
    await ledger.stop()
    disk.restart(true, 0)
    const again = ledgerOn(disk)
    await again.start()
    expect(again.last).toEqual({ height: 5, hash: hashOf(1) })
  })
})

test('entries that make no sense are refused, and so is a ledger that is not open', async () => {
  const ledger = ledgerOn(createDisk())
  await expect(ledger.reserve(1, hashOf(1))).rejects.toMatchObject({ code: 'LEDGER_CLOSED' })
  await ledger.start()
  for (const height of [0, -1, 1.5, 2 ** 53, Number.NaN]) {
    await expect(ledger.reserve(height, hashOf(1))).rejects.toMatchObject({ code: 'INVALID_LEDGER_ENTRY' })
  }
  await expect(ledger.reserve(1, new Uint8Array(31))).rejects.toMatchObject({ code: 'INVALID_LEDGER_ENTRY' })
  expect(ledger.last).toBeUndefined()
})

test('calls at the same time are served one by one: of two hashes for a height one is signed', async () => {
  const ledger = ledgerOn(createDisk())
  await ledger.start()
  const results = await Promise.allSettled(
    [1, 2, 3].map(async (choice) => await ledger.reserve(9, hashOf(choice))),
  )
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  expect(ledger.last).toEqual({ height: 9, hash: hashOf(1) })
})

test('what was reserved stays, whatever is done to the array it was given in', async () => {
  const ledger = ledgerOn(createDisk())
  await ledger.start()
  const hash = hashOf(1)
  await ledger.reserve(1, hash)
  hash.fill(2)
  await expect(ledger.reserve(1, hash)).rejects.toMatchObject({ code: 'ALREADY_SIGNED' })
})
