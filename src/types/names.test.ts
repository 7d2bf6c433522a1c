import { expect, test } from 'vitest'
import { sha256 } from '#crypto'
import { utf8 } from '../util/bytes.ts'
import { exchangeProtocol, gossipTopic, submissionProtocol } from './names.ts'
import { namespaceBytes } from './namespace.ts'

test('protocols and topics carry the chain id and the kind', () => {
  expect(exchangeProtocol('c', 'headerSync')).toBe('/c-headerSync/header-ex/v0.0.3')
  expect(exchangeProtocol('c', 'dataSync')).toBe('/c-dataSync/header-ex/v0.0.3')
  expect(gossipTopic('c', 'headerSync')).toBe('/c-headerSync/header-sub/v0.0.1')
  expect(gossipTopic('c', 'dataSync')).toBe('/c-dataSync/header-sub/v0.0.1')
  expect(submissionProtocol('c')).toBe('/c/evolve-tx/v0.0.1')
})

test('a namespace is hashed from its name, also from one that is hex', () => {
  const hex = '00'.repeat(29)
  const namespace = namespaceBytes(hex)
  expect(namespace.length).toBe(29)
  expect(namespace.subarray(0, 19)).toEqual(new Uint8Array(19))
  expect(namespace.subarray(19)).toEqual(sha256(utf8(hex)).subarray(0, 10))
})
