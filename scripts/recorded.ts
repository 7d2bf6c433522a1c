/*
 * npm run recorded -- DIR [--da-only]
 *
 * Syncs the chain recorded in DIR: one process serves it over libp2p, another, with an empty home, follows it, checks
 * every signature, link and hash and executes every block. Then height, last header hash and state root are compared
 * with the recording. With --da-only the first process is a local DA that holds the blobs of the recording, and the
 * other has no peers. Exit code 0 when they are equal, 1 when not, 2 when DIR holds no recording.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { renderProgress } from '../src/cli/progress.ts'
import { toHex } from '../src/util/bytes.ts'
import { headerHash } from '../src/types/header.ts'
import { describeError, EvolveError } from '../src/util/errors.ts'
import { highestOnDa, readDaRecording } from './recorded/da-recording.ts'
import { type FollowerMessage, isMessage, type PeerMessage } from './recorded/messages.ts'
import { GOSSIP_INTERVAL, GOSSIPED, readRecording, type Recording } from './recorded/recording.ts'

const MIB = 1024 * 1024
const given = process.argv.slice(2)
const daOnly = given.includes('--da-only')
const [folder, ...rest] = given.filter((parameter) => parameter !== '--da-only')
if (folder === undefined || rest.length > 0) {
  console.error(
    'usage: npm run recorded -- DIR [--da-only]   (DIR holds genesis.json, chain.bin.gz, final.json and da.json.gz)',
  )
  process.exitCode = 2
} else {
  process.exitCode = await main(folder)
}

/** What the follower must end on: the end of the recording, or of what of it is on DA. */
function expectedEnd(recordingFolder: string, { final, blocks, genesis }: Recording): Recording['final'] {
  if (!daOnly) return final
  const height = highestOnDa(readDaRecording(recordingFolder))
  const [last, next] = [height, height + 1].map((at) => blocks[at - genesis.initialHeight]?.header.header)
  if (last === undefined) throw new EvolveError('INVALID_RECORDING', `there is no block ${height}`)
  // The state root after a block is in the header of the next one.
  const stateRoot = next?.appHash ?? final.stateRoot
  return { height, lastHeaderHash: headerHash(last), stateRoot }
}

async function main(recordingFolder: string): Promise<number> {
  let recording: Recording
  let expected: Recording['final']
  try {
    recording = readRecording(recordingFolder)
    expected = expectedEnd(recordingFolder, recording)
  } catch (error) {
    console.error(describeError(error))
    return 2
  }
  const home = mkdtempSync(join(tmpdir(), 'evolve-recorded-'))
  const children: ChildProcess[] = []
  const start = (name: string, ...parameters: readonly string[]): ChildProcess => {
    const script = fileURLToPath(new URL(`./recorded/${name}.ts`, import.meta.url))
    const child = fork(script, parameters, { execArgv: ['--conditions=evolve-source'] })
    children.push(child)
    return child
  }
  try {
    const { chainId } = recording.genesis
    console.log(`chain ${chainId}: ${recording.blocks.length} blocks recorded`)
    const server = start(daOnly ? 'da' : 'peer', recordingFolder)
    const { addresses } = await message<PeerMessage>(server, 'listening')
    const address = addresses[0] ?? ''
    console.log(`${daOnly ? 'DA  ' : 'peer'}      ${address}`)
    console.log(`follower  ${home} (empty)`)
    const follower = start('follower', recordingFolder, home, address)
    if (process.stderr.isTTY) follower.on('message', showProgress)
    const result = await message<FollowerMessage>(follower, 'done')
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
    return report(recording, expected, result)
  } catch (error) {
    console.error(describeError(error))
    return 1
  } finally {
    await Promise.all(children.map(end))
    rmSync(home, { recursive: true, force: true })
  }
}

/** The next message of a type; rejects when the process ends without one. */
async function message<T extends { type: string }>(child: ChildProcess, type: T['type']): Promise<T> {
  return await new Promise((resolve, reject) => {
    child.on('message', (received) => {
      if (isMessage<T>(received, type)) resolve(received)
    })
    child.once('exit', (code) => reject(new Error(`the process ended early with code ${code}`)))
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  if (child.connected) child.disconnect()
  await exited
}

function showProgress(received: unknown): void {
  if (!isMessage<FollowerMessage>(received, 'progress')) return
  const { phase, height, headerHeight, targetHeight, peers, elapsed } = received
  const line = renderProgress(
    { phase, height, headerHeight, targetHeight, peers, blocksPerSecond: (height / elapsed) * 1000 },
    process.stderr.columns,
  )
  process.stderr.write(`\r\u001b[K${line}`)
}

function report({ bytes }: Recording, final: Recording['final'], result: FollowerMessage): number {
  const rows = [
    { what: 'height', expected: String(final.height), found: String(result.height) },
    { what: 'last header', expected: toHex(final.lastHeaderHash), found: result.lastHeaderHash },
    { what: 'state root', expected: toHex(final.stateRoot), found: result.stateRoot },
  ]
  let equal = true
  for (const { what, expected, found } of rows) {
    const same = expected === found
    equal &&= same
    const shown = found.length > 64 ? `${found.slice(0, 32)}… (${found.length / 2} bytes)` : found
    console.log(`${same ? '✓' : '✗'} ${what.padEnd(12)} ${shown}${same ? '' : `, expected ${expected}`}`)
  }
  const offered = daOnly ? final.height : final.height - GOSSIPED
  const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`
  const rate = (milliseconds: number): number => Math.round(offered / (milliseconds / 1000))
  console.log(
    `headers   ${offered} checked in ${seconds(result.headersDone)}, ${rate(result.headersDone)} headers/s`,
  )
  console.log(
    `catch-up  ${offered} executed in ${seconds(result.blocksDone)}, ${rate(result.blocksDone)} blocks/s`,
  )
  if (!daOnly) console.log(`gossip    ${GOSSIPED} more, one every ${GOSSIP_INTERVAL} ms`)
  console.log(
    [
      `${final.height} blocks`,
      seconds(result.elapsed),
      `${Math.round(final.height / (result.elapsed / 1000))} blocks/s`,
      ...(daOnly ? [] : [`${(bytes / MIB).toFixed(2)} MiB`]),
      `${Math.round(result.peakMemory / MIB)} MiB peak memory`,
    ].join(' · '),
  )
  console.log(
    equal ? 'the chain is whole: same state root as the recording' : 'the chain differs from the recording',
  )
  return equal ? 0 : 1
}
