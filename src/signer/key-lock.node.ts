/*
 * At most one process of a machine signs with a key, also when a whole home directory was copied.
 *
 * The lock is a socket that listens under a name made of the key's address. The operating system closes it when the
 * process ends, however it ends. Whoever connects is told the process id, so that the second process can say who was
 * first.
 */
import { link, rename, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { type Env, systemEnv, withTimeout } from '../core/env.ts'
import { toHex } from '../util/bytes.ts'
import { EvolveError, isEvolveError } from '../util/errors.ts'
import { systemErrorCode } from '../util/files.node.ts'

/** Keeps other processes from signing with a key. */
export interface KeyLock {
  /**
   * Takes the lock; having it already is fine. Rejects with `SIGNER_IN_USE` (halt) while somebody else has it, and
   * with `SIGNER_LOCK_FAILED` when the system gives no sockets.
   */
  acquire(): Promise<void>
  /** Gives it back; not having it is fine. */
  release(): Promise<void>
}

/** Options of {@link createKeyLock}. */
export interface KeyLockOptions {
  readonly env?: Env
  /** Path of the socket; by default that of this platform. */
  readonly place?: string
}

/** Milliseconds the holder has for telling its process id; it may be stopped or busy. */
const ANSWER_TIME = 1_000
/** Open connections that ask who has the lock. */
const ASKERS = 8
/** Longest answer read, bytes. */
const LONGEST_ANSWER = 16

/**
 * Where the lock of a key lies: on Linux in the namespace of abstract sockets, on Windows among the named pipes. Both
 * vanish with their process. Elsewhere it is a file, in `/tmp` and not in a folder of the user's or the session's, so
 * that all processes meet there; its name is shortened to what a socket address can hold.
 */
export function lockPlace(fingerprint: Uint8Array, platform: NodeJS.Platform = process.platform): string {
  const name = `evolve-signer-${toHex(fingerprint)}`
  if (platform === 'linux') return `\0${name}`
  if (platform === 'win32') return `\\\\.\\pipe\\${name}`
  return `/tmp/${name.slice(0, 46)}.sock`
}

/** Listens at `place`; undefined when something is there. */
async function listen(place: string): Promise<Server | undefined> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(`${process.pid}\n`, () => socket.destroy())
  })
  server.maxConnections = ASKERS
  server.unref()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ path: place, exclusive: true }, resolve)
  try {
    await promise
  } catch (error) {
    if (systemErrorCode(error) === 'EADDRINUSE') return undefined
    throw new EvolveError('SIGNER_LOCK_FAILED', `cannot take the lock of the signing key`, { cause: error })
  }
  server.off('error', reject)
  // A connection that could not be accepted changes nothing: the lock is held.
  server.on('error', () => undefined)
  return server
}

type Holder = { readonly state: 'gone' } | { readonly state: 'alive'; readonly pid: string | undefined }

async function readAnswer(place: string, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect(place)
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  let answer = ''
  socket.on('error', reject)
  socket.on('close', () => resolve(answer))
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1')
    if (answer.length >= LONGEST_ANSWER) resolve(answer)
  })
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.destroy()
  }
}

async function holderOf(place: string, env: Env): Promise<Holder> {
  try {
    const answer = await withTimeout(env, ANSWER_TIME, undefined, 'the answer', async (signal) => {
      return await readAnswer(place, signal)
    })
    return { state: 'alive', pid: /^(\d{1,10})\n$/.exec(answer)?.[1] }
  } catch (error) {
    const gone = ['ECONNREFUSED', 'ENOENT'].includes(systemErrorCode(error) ?? '')
    return gone && !isEvolveError(error) ? { state: 'gone' } : { state: 'alive', pid: undefined }
  }
}

/**
 * Clears away the socket file of a process that died. It is moved aside and asked once more there: a file that a third
 * process has put in its place since is put back. Resolves with the holder then.
 */
async function clear(place: string, env: Env): Promise<Holder> {
  const aside = `${place}.${process.pid}`
  try {
    await rename(place, aside)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return { state: 'gone' }
    throw new EvolveError('SIGNER_LOCK_FAILED', `cannot clear away ${place}, left by a process that died`, {
      cause: error,
    })
  }
  const holder = await holderOf(aside, env)
  if (holder.state === 'alive') await link(aside, place).catch(() => undefined)
  await rm(aside, { force: true })
  return holder
}

function inUse(fingerprint: Uint8Array, pid: string | undefined): EvolveError {
  const address = toHex(fingerprint)
  const who = pid === undefined ? 'another process' : `another process (pid ${pid})`
  return new EvolveError(
    'SIGNER_IN_USE',
    `${who} on this machine signs with the key of address ${address}: stop it first, or give this node a key of its own;` +
      ' two nodes that sign with one key fork the chain',
    { data: { address, pid }, verdict: 'halt' },
  )
}

/**
 * Makes the lock of the key with this address. It does not keep the process alive. On Linux it holds within a network
 * namespace: containers with networks of their own do not see each other's.
 */
export function createKeyLock(fingerprint: Uint8Array, options: KeyLockOptions = {}): KeyLock {
  const { env = systemEnv, place = lockPlace(fingerprint) } = options
  const isFile = !place.startsWith('\0') && !place.startsWith('\\\\')
  let server: Server | undefined

  return {
    async acquire() {
      if (server !== undefined) return
      server = await listen(place)
      if (server !== undefined) return
      let holder = await holderOf(place, env)
      if (holder.state === 'gone') {
        if (isFile) holder = await clear(place, env)
        if (holder.state === 'gone') server = await listen(place)
      }
      if (server === undefined) throw inUse(fingerprint, holder.state === 'alive' ? holder.pid : undefined)
    },
    async release() {
      const closing = server
      if (closing === undefined) return
      server = undefined
      await new Promise<void>((resolve) => closing.close(() => resolve()))
    },
  }
}
