import { describe, expect, test } from 'vitest'
import { sha256 } from '#crypto'
import { namespaceBytes } from '../types/namespace.ts'
import { concatBytes, utf8 } from '../util/bytes.ts'
import { blobFromJson, blobId, blobToJson, createBlob, hasTrueCommitment } from './blob.ts'
import { shareCommitment, shareCount } from './commitment.ts'

const namespace = namespaceBytes('a chain')
const data = utf8('some block')

describe('shares', () => {
  test.each([
    [1, 1],
    [478, 1],
    [479, 2],
    [478 + 482, 2],
    [478 + 482 + 1, 3],
  ])('of %d bytes are %d', (length, shares) => {
    expect(shareCount(length)).toBe(shares)
  })
})

describe('a share commitment', () => {
  test('of one share is the Merkle root over one namespaced leaf', () => {
    const share = new Uint8Array(512)
    share.set(namespace)
    share.set([1, 0, 0, 0, data.length], 29)
    share.set(data, 34)
    const leaf = sha256(concatBytes(Uint8Array.of(0), namespace, share))
    expect(shareCommitment(namespace, data)).toEqual(
      sha256(concatBytes(Uint8Array.of(0), namespace, namespace, leaf)),
    )
  })

  test('changes with each byte of data and with the namespace', () => {
    const long = new Uint8Array(5000).fill(3)
    const commitment = shareCommitment(namespace, long)
    for (const at of [0, 477, 478, 4999]) {
      const changed = long.map((byte, i) => (i === at ? byte + 1 : byte))
      expect(shareCommitment(namespace, changed)).not.toEqual(commitment)
    }
    expect(shareCommitment(namespaceBytes('another'), long)).not.toEqual(commitment)
    expect(shareCommitment(namespace, concatBytes(long, Uint8Array.of(0)))).not.toEqual(commitment)
  })

  test('needs a namespace of 29 bytes, and data', () => {
    const invalid = expect.objectContaining({ code: 'INVALID_BLOB' })
    expect(() => shareCommitment(namespace.subarray(1), data)).toThrow(invalid)
    expect(() => shareCommitment(namespace, new Uint8Array(0))).toThrow(invalid)
  })
})

describe('a blob', () => {
  const blob = createBlob(namespace, data)

  test('goes to JSON and back', () => {
    const json: unknown = JSON.parse(JSON.stringify(blobToJson(blob)))
    expect(json).toMatchObject({ share_version: 0, index: -1 })
    expect(blobFromJson(json)).toEqual(blob)
    const paid = { ...blob, shareVersion: 1, signer: new Uint8Array(20).fill(1), index: 7 }
    expect(blobFromJson(blobToJson(paid))).toEqual(paid)
  })

  test('has the commitment of its data, or is seen to have another', () => {
    expect(hasTrueCommitment(blob)).toBe(true)
    expect(hasTrueCommitment({ ...blob, data: utf8('some blocK') })).toBe(false)
    expect(hasTrueCommitment({ ...blob, data: new Uint8Array(0) })).toBe(false)
    expect(hasTrueCommitment({ ...blob, commitment: new Uint8Array(32) })).toBe(false)
    expect(hasTrueCommitment({ ...blob, shareVersion: 1 })).toBe(false)
  })

  test.each([
    ['nothing', undefined],
    ['a text', 'blob'],
    ['no fields', {}],
    ['a short namespace', { ...blobToJson(blob), namespace: 'AAAA' }],
    ['a namespace that is no base64', { ...blobToJson(blob), namespace: '!' }],
    ['a number for data', { ...blobToJson(blob), data: 5 }],
    ['no commitment', { ...blobToJson(blob), commitment: undefined }],
    ['a share version below 0', { ...blobToJson(blob), share_version: -1 }],
    ['a text for index', { ...blobToJson(blob), index: '1' }],
    ['an index that is not whole', { ...blobToJson(blob), index: 1.5 }],
  ])('of JSON with %s is refused', (_what, json) => {
    expect(() => blobFromJson(json)).toThrow(
      expect.objectContaining({ code: 'DECODE_FAILED', verdict: 'reject' }),
    )
  })

  test('has an id of its height, little endian, and its commitment', () => {
    const id = blobId(0x01_0203, blob.commitment)
    expect([...id.subarray(0, 8)]).toEqual([3, 2, 1, 0, 0, 0, 0, 0])
    expect(id.subarray(8)).toEqual(blob.commitment)
  })
})
