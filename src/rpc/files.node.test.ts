import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemEnv } from '../core/env.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { type PageFiles, readPageFiles } from './files.node.ts'
import { createHttpPort, type HttpPort } from './port.node.ts'

const SCRIPT = 'console.log("a chain")\n'.repeat(100)

let outside = ''
let files: PageFiles
let port: HttpPort

beforeAll(async () => {
  outside = mkdtempSync(join(tmpdir(), 'evolve-page-'))
  writeFileSync(join(outside, 'secret.txt'), 'secret')
  const folder = join(outside, 'page')
  mkdirSync(join(folder, 'assets'), { recursive: true })
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>A chain</title>')
  writeFileSync(join(folder, 'assets', 'main-a1B2c3D4.js'), SCRIPT)
  writeFileSync(join(folder, 'favicon.svg'), '<svg/>')
  files = await readPageFiles(pathToFileURL(`${folder}/`))
  port = createHttpPort(
    {
      env: systemEnv,
      logger: noopLogger,
      metrics: noopMetrics,
      handle(request, response) {
        if (files.answer(request, response)) return
        response.statusCode = 404
        response.end()
      },
    },
    { address: '127.0.0.1:0' },
  )
  await port.start()
})

afterAll(async () => {
  await port.stop()
  rmSync(outside, { recursive: true, force: true })
})

async function get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return await fetch(`http://127.0.0.1:${port.address?.port}${path}`, { headers })
}

const HTML = { accept: 'text/html,*/*;q=0.8' }

test('the page is at / and at each of its own paths, and is asked for anew each time', async () => {
  for (const path of ['/', '/block/12', '/tx/ab', '/peers', '/availability?x=1']) {
    const response = await get(path, HTML)
    expect({ path, status: response.status, type: response.headers.get('content-type') }).toEqual({
      path,
      status: 200,
      type: 'text/html; charset=utf-8',
    })
    expect(await response.text()).toContain('<title>A chain</title>')
    expect(response.headers.get('cache-control')).toBe('no-cache')
  }
})

test('nothing may be loaded from elsewhere, nor stand in the page itself', async () => {
  const { headers } = await get('/', HTML)
  const policy = headers.get('content-security-policy') ?? ''
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("script-src 'self'")
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toMatch(/unsafe|https?:|\*/)
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('referrer-policy')).toBe('no-referrer')
})

test('files with a hash in their name may be kept; they are sent packed to those who take that', async () => {
  const response = await get('/assets/main-a1B2c3D4.js', { 'accept-encoding': 'gzip' })
  expect(response.headers.get('content-encoding')).toBe('gzip')
  expect(response.headers.get('cache-control')).toContain('immutable')
  expect(await response.text()).toBe(SCRIPT)
  const plain = await get('/assets/main-a1B2c3D4.js', { 'accept-encoding': 'identity' })
  expect(plain.headers.get('content-encoding')).toBeNull()
  expect(await plain.text()).toBe(SCRIPT)
})

test.each([
  '/../secret.txt',
  '/%2e%2e/secret.txt',
  '/..%2fsecret.txt',
  '/assets/../../secret.txt',
  '/assets/none.js',
  '/assets',
  '/index.html%00.js',
])('%s is not there', async (path) => {
  expect((await get(path)).status).toBe(404)
})

test('a folder that is not there has no page', async () => {
  const none = await readPageFiles(pathToFileURL(join(outside, 'nowhere/')))
  expect(none.found).toBe(false)
})
