import fc from 'fast-check'
import { expect, test } from 'vitest'
import { blockPath, blocksPath, hashText, parseRoute, placePath, transactionPath } from './routes.ts'

const hash = 'ab'.repeat(32)

test.each([
  ['/', { page: 'home' }],
  ['//', { page: 'home' }],
  ['/peers', { page: 'peers' }],
  ['/availability/', { page: 'availability' }],
  ['/submit', { page: 'submit' }],
  ['/blocks/12', { page: 'blocks', from: 12 }],
  ['/block/12', { page: 'block', id: 12, offset: 0 }],
  [`/block/${hash.toUpperCase()}`, { page: 'block', id: hash, offset: 0 }],
  [`/block/0x${hash}`, { page: 'block', id: hash, offset: 0 }],
  // Digits alone may be a hash.
  [`/block/${'12'.repeat(32)}`, { page: 'block', id: '12'.repeat(32), offset: 0 }],
  ['/block/12/tx/3', { page: 'transaction-at', height: 12, index: 3 }],
  [`/tx/${hash}`, { page: 'transaction', hash }],
])('%s', (path, route) => expect(parseRoute(path)).toEqual(route))

test.each([
  '/block',
  '/block/',
  '/block/-1',
  '/block/1.5',
  '/block/1e3',
  '/block/9007199254740992',
  '/block/12/tx',
  '/block/12/tx/x',
  '/block/12/13/14',
  '/tx/12',
  '/blocks/x',
  '/peers/1',
  '/constructor',
  '/%2e%2e/etc',
])('%s names no page', (path) => expect(parseRoute(path)).toEqual({ page: 'missing' }))

test.each([
  ['?offset=100', 100],
  ['?offset=-1', 0],
  ['?offset=x', 0],
  ['?other=1', 0],
])('the first transaction of %s', (query, offset) =>
  expect(parseRoute('/block/12', query)).toEqual({ page: 'block', id: 12, offset }),
)

test('any text has a page, and none throws', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (path, query) => typeof parseRoute(path, query).page === 'string'),
  )
})

test('addresses lead where they say', () => {
  const height = fc.nat({ max: Number.MAX_SAFE_INTEGER })
  fc.assert(
    fc.property(height, height, (at, offset) => {
      const [path = '', query = ''] = blockPath(at, offset).split('?')
      expect(parseRoute(path, query)).toEqual({ page: 'block', id: at, offset })
      expect(parseRoute(placePath(at, offset))).toEqual({ page: 'transaction-at', height: at, index: offset })
      expect(parseRoute(blocksPath(at))).toEqual({ page: 'blocks', from: at })
    }),
  )
  expect(parseRoute(transactionPath(hash))).toEqual({ page: 'transaction', hash })
  expect(hashText('ab')).toBeUndefined()
})
