import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { toHex } from '../util/bytes.ts'
import {
  decodeLedger,
  encodeSlot,
  LEDGER_BYTES,
  newLedger,
  offsetOf,
  otherSlot,
  requireAddress,
  SLOT_BYTES,
} from './ledger-slots.ts'

const address = new Uint8Array(32).fill(7)
const corrupt = expect.objectContaining({ code: 'LEDGER_CORRUPT', verdict: 'halt' })
const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 })
const entries = fc.record({ height: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), hash: hashes })

function ledgerOf(...slots: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(LEDGER_BYTES)
  for (const [index, slot] of slots.entries()) bytes.set(slot, offsetOf(index))
  return bytes
}

test('a new ledger has nothing, in both slots', () => {
  const bytes = newLedger(address)
  expect(bytes.length).toBe(8192)
  expect(decodeLedger(bytes, 'x')).toEqual({ address, sequence: 1, entry: undefined, index: 1, torn: false })
})

test('the layout of a slot', () => {
  const slot = encodeSlot({ address, sequence: 2, entry: { height: 258, hash: new Uint8Array(32).fill(9) } })
  expect(toHex(slot.subarray(0, 96))).toBe(
    `65767369676e65640000000100000000${'07'.repeat(32)}00000000000000020000000000000102${'09'.repeat(32)}`,
  )
  expect(slot.length).toBe(SLOT_BYTES)
})

test('the newer of two slots counts, whichever place it has', () => {
  fc.assert(
    fc.property(entries, entries, fc.nat(1_000_000), fc.boolean(), (older, newer, sequence, first) => {
      const old = encodeSlot({ address, sequence, entry: older })
      const young = encodeSlot({ address, sequence: sequence + 1, entry: newer })
      const state = decodeLedger(first ? ledgerOf(young, old) : ledgerOf(old, young), 'x')
      expect(state).toEqual({
        address,
        sequence: sequence + 1,
        entry: newer,
        index: first ? 0 : 1,
        torn: false,
      })
    }),
  )
})

test('a slot with any bit changed does not count, unless it says that it is of a newer version', () => {
  const slots = [
    encodeSlot({ address, sequence: 4, entry: { height: 3, hash: address } }),
    encodeSlot({ address, sequence: 5, entry: { height: 4, hash: address } }),
  ]
  for (let index = 0; index < 2; index++) {
    const other = otherSlot(index)
    for (let bit = 0; bit < SLOT_BYTES * 8; bit++) {
      const bytes = ledgerOf(...slots)
      const at = offsetOf(index) + (bit >> 3)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
      if (bit >= 64 && bit < 96 && bit !== 88) expect(() => decodeLedger(bytes, 'x')).toThrow(/version/)
      else
        expect(decodeLedger(bytes, 'x')).toMatchObject({
          index: other,
          torn: true,
          entry: { height: 3 + other },
        })
    }
  }
})

test('what is no ledger is refused, naming the file and the way out', () => {
  for (const bytes of [
    new Uint8Array(0),
    new Uint8Array(LEDGER_BYTES),
    newLedger(address).subarray(1),
    new Uint8Array([...newLedger(address), 0]),
  ]) {
    expect(() => decodeLedger(bytes, '/a/signer.ledger')).toThrow(corrupt)
    expect(() => decodeLedger(bytes, '/a/signer.ledger')).toThrow(/\/a\/signer\.ledger.*remove the file/)
  }
})

test('the ledger of another key is refused, naming both', () => {
  const state = decodeLedger(newLedger(address), 'x')
  const other = new Uint8Array(32).fill(8)
  expect(() => requireAddress(state, address, 'x')).not.toThrow()
  expect(() => requireAddress(state, other, 'x')).toThrow(
    expect.objectContaining({ code: 'LEDGER_OF_OTHER_KEY', verdict: 'halt' }),
  )
  expect(() => requireAddress(state, other, 'x')).toThrow(
    new RegExp(`${'07'.repeat(32)}.*${'08'.repeat(32)}`),
  )
})
