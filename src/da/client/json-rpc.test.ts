import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeIncoming, encodeCall, encodeCancel, resultOf } from './json-rpc.ts'

test('calls and cancels are written as JSON-RPC 2.0', () => {
  expect(JSON.parse(encodeCall(7, 'blob.Get', [1, 'a']))).toEqual({
    jsonrpc: '2.0',
    id: 7,
    method: 'blob.Get',
    params: [1, 'a'],
  })
  expect(JSON.parse(encodeCancel(7))).toEqual({ jsonrpc: '2.0', method: 'xrpc.cancel', params: [7] })
})

test.each([
  ['a result', '{"id":1,"result":[2]}', { kind: 'answer', id: 1, answer: { result: [2] } }],
  ['a null beside a result', '{"id":1,"result":3,"error":null}', { answer: { result: 3 } }],
  ['no result', '{"jsonrpc":"2.0","id":1}', { answer: { result: null } }],
  [
    'an error',
    '{"id":1,"error":{"code":1,"message":"no"}}',
    { answer: { error: { code: 1, message: 'no' } } },
  ],
  ['an error without code', '{"id":1,"error":{"message":"no"}}', { answer: { error: { code: 0 } } }],
  [
    'a value',
    '{"method":"xrpc.ch.val","params":[4,{"a":1}]}',
    { kind: 'value', channel: 4, value: { a: 1 } },
  ],
  ['an end', '{"method":"xrpc.ch.close","params":[4]}', { kind: 'close', channel: 4 }],
])('%s is read', (_name, text, expected) => {
  expect(decodeIncoming(text)).toMatchObject(expected)
})

test.each([
  '',
  'null',
  '[]',
  '"text"',
  '<html></html>',
  '{"id":1,"result":',
  '{"id":1,"error":"no"}',
  '{"id":1,"error":{}}',
  '{"method":"xrpc.ch.val"}',
  '{"method":"xrpc.ch.val","params":["4",1]}',
  '{"method":"blob.Get","params":[1]}',
])('%s is none', (text) => {
  expect(decodeIncoming(text)).toBeUndefined()
})

test('nothing that comes makes the reader throw', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void decodeIncoming(text)))
  expect(decodeIncoming('['.repeat(1_000_000))).toBeUndefined()
})

test('an error says which call it answers and what the node said', () => {
  expect(() => resultOf('blob.Submit', { error: { code: 1, message: 'tx already in mempool' } })).toThrow(
    expect.objectContaining({
      code: 'DA_IN_MEMPOOL',
      message: 'the DA node answered blob.Submit with: tx already in mempool',
      data: { method: 'blob.Submit', rpcCode: 1, text: 'tx already in mempool' },
    }),
  )
})
