/*
 * What this machine can do at most: the figures that others are compared with. Measured alone, one after another.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { createServer, createConnection, type AddressInfo } from 'node:net'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { ed25519PublicKey, signEd25519, verifyEd25519 } from '#crypto'

/** What a machine can do at most, a second. */
export interface Limits {
  readonly cores: number
  /** Signature checks of one thread. */
  readonly verificationsPerThread: number
  /** Signature checks of all cores. */
  readonly verifications: number
  /** Appends of 4 KiB to one file, each on the disk before the next (fdatasync). */
  readonly syncedWrites: number
  /** Bytes over one TCP connection on loopback. */
  readonly loopbackBytes: number
}

/** Milliseconds that each is measured. */
const SPAN = 1_000

/** Measures the limits; `folder` lies on the disk that counts. */
export async function measureLimits(folder: string): Promise<Limits> {
  const cores = cpus().length
  const verificationsPerThread = verifications()
  return {
    cores,
    verificationsPerThread,
    verifications: verificationsPerThread * cores,
    syncedWrites: syncedWrites(join(folder, 'appends')),
    loopbackBytes: await loopbackBytes(),
  }
}

function verifications(): number {
  const seed = new Uint8Array(32).fill(7)
  const key = ed25519PublicKey(seed)
  const message = new Uint8Array(200).fill(1)
  const signature = signEd25519(seed, message)
  return perSecond(() => {
    if (!verifyEd25519(key, message, signature)) throw new Error('a good signature was refused')
  })
}

/** How often a second something can be done that does not wait. */
export function perSecond(task: () => void, span: number = SPAN): number {
  // The first rounds are those of a cold engine.
  for (let i = 0; i < 200; i++) task()
  const begun = performance.now()
  let rounds = 0
  let now = begun
  do {
    for (let i = 0; i < 20; i++) task()
    rounds += 20
    now = performance.now()
  } while (now - begun < span)
  return (rounds * 1_000) / (now - begun)
}

function syncedWrites(path: string): number {
  const file = openSync(path, 'w')
  const page = new Uint8Array(4_096)
  try {
    const begun = performance.now()
    let writes = 0
    while (performance.now() - begun < SPAN) {
      writeSync(file, page)
      fdatasyncSync(file)
      writes++
    }
    return (writes * 1_000) / (performance.now() - begun)
  } finally {
    closeSync(file)
  }
}

async function loopbackBytes(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const server = createServer((socket) => {
    let bytes = 0
    let begun = 0
    socket.on('data', (piece) => {
      begun ||= performance.now()
      bytes += piece.length
    })
    socket.once('end', () => {
      socket.end()
      resolve((bytes * 1_000) / (performance.now() - begun))
    })
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const client = createConnection(addressOf(server.address()).port, '127.0.0.1')
  const piece = new Uint8Array(65_536)
  const until = performance.now() + SPAN
  const write = (): void => {
    while (performance.now() < until) {
      if (!client.write(piece)) {
        client.once('drain', write)
        return
      }
    }
    client.end()
  }
  write()
  const rate = await promise
  server.close()
  return rate
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address
}
