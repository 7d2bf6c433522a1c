import { spawn, type ChildProcess } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/node/devnet/homes.ts'
import { type Ended, runProgram } from './process.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const MAIN = 'src/cli/main.ts'

/** A command of the program, running. */
export interface CliProcess {
  readonly child: ChildProcess
  /** All that it has written so far, to both streams. */
  readonly output: string
  /** Resolves with the first match of `pattern` in its output, past or to come; rejects when it ends without. */
  said(pattern: RegExp | string): Promise<string>
  /** Resolves when `reached`, which is asked after each piece of output, says so; rejects when it ends without. */
  saidWhen(reached: () => boolean): Promise<void>
  readonly ended: Promise<Ended>
  /** Sends a signal and resolves when the process is gone. */
  stop(signal?: NodeJS.Signals): Promise<Ended>
}

/** Runs a command of the program to its end. */
export async function evolve(
  parameters: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return await runProgram(MAIN, parameters, variables)
}

/** Starts a command of the program. */
export function startEvolve(
  parameters: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): CliProcess {
  const child = spawn(process.execPath, ['--conditions=evolve-source', `${root}${MAIN}`, ...parameters], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...variables },
  })
  let [stdout, stderr, output] = ['', '', '']
  const listeners = new Set<() => void>()
  const heard = (text: string): void => {
    output += text
    for (const listener of listeners) listener()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    heard(text)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    heard(text)
  })
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return {
    child,
    ended,
    get output() {
      return output
    },
    async said(pattern) {
      const expression = typeof pattern === 'string' ? new RegExp(RegExp.escape(pattern)) : pattern
      return await new Promise<string>((resolve, reject) => {
        const look = (): void => {
          const [found] = expression.exec(output) ?? []
          if (found === undefined) return
          listeners.delete(look)
          resolve(found)
        }
        listeners.add(look)
        look()
        void ended.then(({ code, signal }) =>
          reject(new Error(`ended with code ${code}, signal ${signal}, without ${expression}:\n${output}`)),
        )
      })
    },
    async saidWhen(reached) {
      await new Promise<void>((resolve, reject) => {
        const look = (): void => {
          if (!reached()) return
          listeners.delete(look)
          resolve()
        }
        listeners.add(look)
        look()
        void ended.then(({ code, signal }) =>
          reject(new Error(`ended with code ${code}, signal ${signal}, too early:\n${output}`)),
        )
      })
    },
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      return await ended
    },
  }
}

/** A folder for the homes of one test file, and what was started there. */
export interface CliScratch {
  readonly folder: string
  /** File with the passphrase of every signer. */
  readonly passphrase: string
  /** Starts a command that is killed at the end if it still runs. */
  start(parameters: readonly string[], variables?: Readonly<Record<string, string>>): CliProcess
  /** Kills what still runs and removes the folder. */
  clear(): Promise<void>
}

/** Makes a {@link CliScratch}. */
export function createCliScratch(): CliScratch {
  const folder = mkdtempSync(join(tmpdir(), 'evolve-network-'))
  const passphrase = join(folder, 'pass')
  writeFileSync(passphrase, 'a good passphrase\n', { mode: 0o600 })
  const started: CliProcess[] = []
  return {
    folder,
    passphrase,
    start(parameters, variables) {
      const one = startEvolve(parameters, variables)
      started.push(one)
      return one
    },
    async clear() {
      await Promise.all(started.map(async (one) => await one.stop('SIGKILL')))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Times of a chain that tests need not wait for. */
export const BLOCK_TIME = '200ms'
/** The same of its DA. */
export const DA_BLOCK_TIME = '500ms'

/** A chain whose aggregator was made by `evolve init`. */
export interface CliChain {
  readonly home: string
  /** Address of its DA, where nothing runs yet. */
  readonly da: string
  readonly daPort: number
  /** Where the aggregator can be reached once it runs. */
  readonly peer: string
  readonly namespace: string
  /** Parameters of `evolve start` for the aggregator. */
  readonly start: readonly string[]
}

/** Makes the home of an aggregator below `scratch`. */
export async function initChain(
  { folder, passphrase }: CliScratch,
  name: string,
  extra: readonly string[] = [],
): Promise<CliChain> {
  const home = join(folder, name)
  const [port, daPort] = [await freePort(), await freePort()]
  const da = `http://127.0.0.1:${daPort}`
  const { code, stdout, stderr } = await evolve([
    'init',
    '--home',
    home,
    '--evnode.node.aggregator',
    '--evnode.signer.passphrase_file',
    passphrase,
    '--evnode.da.address',
    da,
    '--evnode.da.block_time',
    DA_BLOCK_TIME,
    '--evnode.node.block_time',
    BLOCK_TIME,
    '--evnode.rpc.address',
    '127.0.0.1:0',
    '--evnode.p2p.listen_address',
    `/ip4/127.0.0.1/tcp/${port}`,
    '--chain-id',
    name,
    ...extra,
  ])
  if (code !== 0) throw new Error(stderr)
  const peerId = /peer id +(\S+)/.exec(stdout)?.[1]
  const namespace = /DA +namespace (\S+)/.exec(stdout)?.[1]
  if (peerId === undefined || namespace === undefined) throw new Error(`no peer id or namespace: ${stdout}`)
  return {
    home,
    da,
    daPort,
    namespace,
    peer: `/ip4/127.0.0.1/tcp/${port}/p2p/${peerId}`,
    start: ['start', '--home', home, '--evnode.signer.passphrase_file', passphrase],
  }
}

/** Makes the home of a follower of `chain`. */
export async function initFollower(
  { folder }: CliScratch,
  chain: CliChain,
  name: string,
  extra: readonly string[],
): Promise<string> {
  const home = join(folder, name)
  mkdirSync(join(home, 'config'), { recursive: true })
  copyFileSync(join(chain.home, 'config/genesis.json'), join(home, 'config/genesis.json'))
  const parameters = ['--evnode.node.block_time', BLOCK_TIME, '--evnode.da.block_time', DA_BLOCK_TIME]
  parameters.push(
    '--evnode.p2p.listen_address',
    '/ip4/127.0.0.1/tcp/0',
    '--evnode.rpc.address',
    '127.0.0.1:0',
  )
  parameters.push(...extra)
  const { code, stderr } = await evolve(['init', '--home', home, ...parameters])
  if (code !== 0) throw new Error(stderr)
  return home
}

/** An answer of a node's HTTP endpoint. */
export interface Answer {
  readonly status: number
  readonly body: string
}

/** Sends a transaction to a node's HTTP endpoint. */
export async function postTx(endpoint: string, tx: string): Promise<Answer> {
  const response = await fetch(`http://${endpoint}/tx`, { method: 'POST', body: tx })
  return { status: response.status, body: (await response.text()).trim() }
}

/** Asks a node's HTTP endpoint for a value. */
export async function getValue(endpoint: string, key: string): Promise<Answer> {
  const response = await fetch(`http://${endpoint}/kv?key=${encodeURIComponent(key)}`)
  return { status: response.status, body: await response.text() }
}
