import { expect, test } from 'vitest'
import { readAddress } from './address.ts'

test.each([
  ['http://127.0.0.1:26658', 'http://127.0.0.1:26658/', 'ws://127.0.0.1:26658/'],
  ['ws://da.example:7980/rpc', 'http://da.example:7980/rpc', 'ws://da.example:7980/rpc'],
  ['https://da.example/?key=1', 'https://da.example/?key=1', 'wss://da.example/?key=1'],
  ['wss://da.example', 'https://da.example/', 'wss://da.example/'],
  ['localhost:26658', 'http://localhost:26658/', 'ws://localhost:26658/'],
  ['[::1]:26658', 'http://[::1]:26658/', 'ws://[::1]:26658/'],
])('%s serves both ways', (text, http, webSocket) => {
  expect(readAddress(text)).toMatchObject({ http, webSocket })
})

test.each(['', 'ftp://da.example', 'http://', 'a b', 'http://me:secret@da.example'])(
  '"%s" is refused in words that do not repeat it',
  (text) => {
    expect(() => readAddress(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.not.stringContaining('secret') }),
    )
  },
)
