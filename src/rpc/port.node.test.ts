import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { systemEnv } from '../core/env.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { createHttpPort, type HttpPort, type HttpPortOptions } from './port.node.ts'

const open: HttpPort[] = []

afterEach(async () => {
  for (const port of open.splice(0)) await port.stop()
})

async function start(
  options: Partial<HttpPortOptions> = {},
): Promise<{ port: HttpPort; url: string; number: number }> {
  const port = createHttpPort(
    {
      env: systemEnv,
      logger: noopLogger,
      metrics: noopMetrics,
      handle(request, response) {
        const pieces: Buffer[] = []
        request.on('data', (piece: Buffer) => pieces.push(piece))
        request.on('end', () => response.end(`${request.httpVersion} ${Buffer.concat(pieces).length}`))
        request.on('error', () => {})
      },
    },
    { address: '127.0.0.1:0', ...options },
  )
  open.push(port)
  await port.start()
  const number = port.address?.port ?? 0
  return { port, url: `http://127.0.0.1:${number}`, number }
}

/** All that comes until the other side closes. */
async function read(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1')
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.on('close', () => resolve())
  socket.on('error', () => {})
  await promise
  return text
}

async function overHttp2(url: string, body: Buffer): Promise<string> {
  const session = connectHttp2(url)
  const stream = session.request({ ':method': 'POST', ':path': '/' })
  stream.end(body)
  let text = ''
  for await (const bytes of stream) text += String(bytes)
  session.close()
  return text
}

test('one port answers both HTTPs, small and large requests', async () => {
  const { url } = await start()
  for (const size of [0, 1, 5_000_000]) {
    const body = Buffer.alloc(size, 0x50)
    const answer = await fetch(url, { method: 'POST', body })
    expect(await answer.text()).toBe(`1.1 ${size}`)
    expect(await overHttp2(url, body)).toBe(`2.0 ${size}`)
  }
})

test('a request that comes byte by byte is understood', async () => {
  const { number } = await start()
  const socket = connect(number, '127.0.0.1').setNoDelay(true)
  const answer = read(socket)
  for (const byte of Buffer.from(
    'PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab',
  )) {
    socket.write(Buffer.of(byte))
    await new Promise<void>((resolve) => void systemEnv.soon(resolve))
  }
  expect(await answer).toContain('1.1 2')
})

test('what is no HTTP ends its own connection only', async () => {
  const { url, number } = await start()
  const garbage = [
    Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\nnonsense'),
    Buffer.from('PRI * HTTP/3.0\r\n\r\n'),
    Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
    Buffer.alloc(100_000, 0xff),
    Buffer.from('\r\n\r\n\r\n'),
    Buffer.from(`GET / HTTP/1.1\r\nX: ${'a'.repeat(200_000)}\r\n\r\n`),
  ]
  for (const bytes of garbage) {
    const socket = connect(number, '127.0.0.1')
    const over = read(socket)
    socket.end(bytes)
    await over
  }
  expect(await (await fetch(url)).text()).toBe('1.1 0')
})

test('a connection that says nothing, or too little, is closed', async () => {
  const { number } = await start({ headTimeout: 50 })
  for (const bytes of ['', 'PRI * HT', 'GET / HTTP/1.1\r\nHost: a\r\n']) {
    const socket = connect(number, '127.0.0.1')
    socket.write(bytes)
    await read(socket)
  }
})

test('connections above the limit are closed', async () => {
  const { number, url } = await start({ maxConnections: 2 })
  const held = [connect(number, '127.0.0.1'), connect(number, '127.0.0.1')]
  for (const socket of held) await new Promise((resolve) => socket.once('connect', resolve))
  expect(await read(connect(number, '127.0.0.1'))).toBe('')
  for (const socket of held) {
    const over = read(socket)
    socket.destroy()
    await over
  }
  await expect.poll(async () => await (await fetch(url)).text().catch(() => '')).toBe('1.1 0')
})

test('stopping ends what is open, in both HTTPs; an address that is taken is told', async () => {
  const { port, number } = await start({ stopGrace: 10 })
  const silent = connect(number, '127.0.0.1')
  const over = read(silent)
  const session = connectHttp2(`http://127.0.0.1:${number}`)
  session.on('error', () => {})
  const unfinished = session.request({ ':method': 'POST', ':path': '/' })
  unfinished.on('error', () => {})
  await new Promise((resolve) => session.once('remoteSettings', resolve))
  const second = createHttpPort(
    { env: systemEnv, logger: noopLogger, metrics: noopMetrics, handle() {} },
    { address: `127.0.0.1:${number}` },
  )
  await expect(second.start()).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
  const closed = new Promise((resolve) => session.once('close', resolve))
  await port.stop()
  await over
  await closed
  expect(port.address).toBeUndefined()
  await second.start()
  await second.stop()
})
