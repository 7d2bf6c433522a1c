/*
 * Makes the database of a new node from a snapshot. Nothing is visible before all of it was checked: the blocks link
 * up to a header by the chain's proposer, and the application's state is the one that header names.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Kv, KvOp } from '../core/kv.ts'
import type { EntryExecutor } from '../execution/entry-executor.ts'
import { ensureFormat } from '../store/format.ts'
import { placeOps } from '../store/inclusions.ts'
import { KEYS } from '../store/keys.ts'
import { createLevelKv } from '../store/kv-level.node.ts'
import { stateOp } from '../store/records.ts'
import { checkSnapshot, openSnapshot, readFrames, type SnapshotFile } from '../store/snapshot-file.node.ts'
import type { SnapshotFrame, SnapshotManifest } from '../store/snapshot-format.ts'
import { subKv } from '../store/sub-kv.ts'
import type { Genesis } from '../types/genesis.ts'
import { EMPTY_BYTES, equalBytes, toHex } from '../util/bytes.ts'
import { EvolveError, isEvolveError } from '../util/errors.ts'
import { syncDirectory, systemErrorCode } from '../util/files.node.ts'
import { createChainReader } from './snapshot-chain.ts'
import { verifySnapshot } from './snapshot-verify.ts'

/** What {@link importSnapshot} works with. */
export interface SnapshotImportDeps {
  readonly genesis: Genesis
  /** Makes the application over its part of a database; its name must be the one in the snapshot. */
  readonly executor: (kv: Kv) => EntryExecutor
  readonly application: string
}

/** Options of {@link importSnapshot}. */
export interface SnapshotImportOptions {
  /** Folder of the database to be made. */
  readonly directory: string
  /** Hash of the header of the last block, from somebody who is trusted. */
  readonly trustedHash?: Uint8Array | undefined
  readonly signal: AbortSignal
  /** Told what is being done, and how much of it. */
  readonly onProgress?: (what: 'checking' | 'importing', done: number, all: number) => void
}

/** Bytes of changes that are written together. */
const BATCH_BYTES = 2 * 1024 * 1024

/**
 * Imports a snapshot into a home without a database. Rejects, leaving nothing behind, with `HOME_NOT_EMPTY`,
 * `NOT_A_SNAPSHOT`, `SNAPSHOT_VERSION`, `SNAPSHOT_DAMAGED`, `SNAPSHOT_OTHER_CHAIN`, `SNAPSHOT_UNTRUSTED`,
 * `STORE_LOCKED` while another import runs, and with what disk or signal say.
 */
export async function importSnapshot(
  deps: SnapshotImportDeps,
  path: string,
  options: SnapshotImportOptions,
): Promise<{ readonly manifest: SnapshotManifest; readonly checksum: Uint8Array }> {
  const { directory, signal, onProgress } = options
  const file = await openSnapshot(path)
  refuseOther(deps, file.manifest, options)
  await refuseFilled(directory)
  const checksum = await checkSnapshot(file, {
    signal,
    onBytes: (done) => onProgress?.('checking', done, file.bytes),
  })
  const temporary = `${directory}.importing`
  await mkdir(dirname(directory), { recursive: true, mode: 0o700 })
  let ours = false
  try {
    const kv = await openEmpty(temporary)
    ours = true
    try {
      await fill(kv, deps, file, options)
      await verifySnapshot(kv, deps, file.manifest, { trusted: options.trustedHash !== undefined, signal })
    } finally {
      await kv.stop()
    }
    signal.throwIfAborted()
    await refuseFilled(directory)
    await rename(temporary, directory)
    await syncDirectory(dirname(directory))
  } catch (error) {
    if (ours) await rm(temporary, { recursive: true, force: true })
    throw error
  }
  return { manifest: file.manifest, checksum }
}

function refuseOther(
  { genesis, application }: SnapshotImportDeps,
  manifest: SnapshotManifest,
  { trustedHash }: SnapshotImportOptions,
): void {
  const { chainId, initialHeight, headerHash: hash, height } = manifest
  if (chainId !== genesis.chainId || initialHeight !== genesis.initialHeight) {
    throw new EvolveError(
      'SNAPSHOT_OTHER_CHAIN',
      `the snapshot is of chain ${chainId} from height ${initialHeight}, genesis.json of chain ${genesis.chainId} from height ${genesis.initialHeight}`,
    )
  }
  if (manifest.application !== application) {
    throw new EvolveError(
      'SNAPSHOT_OTHER_CHAIN',
      `the snapshot is of the application ${manifest.application}, not of ${application}: see --executor`,
    )
  }
  if (trustedHash !== undefined && !equalBytes(trustedHash, hash)) {
    throw new EvolveError(
      'SNAPSHOT_UNTRUSTED',
      `the snapshot ends with header ${toHex(hash)} at height ${height}, not with the trusted ${toHex(trustedHash)}`,
    )
  }
}

async function refuseFilled(directory: string): Promise<void> {
  let files: string[]
  try {
    files = await readdir(directory)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return
    throw new EvolveError('FILE_FAILED', `cannot read ${directory}`, { cause: error, verdict: 'retry' })
  }
  if (files.length === 0) return
  throw new EvolveError(
    'HOME_NOT_EMPTY',
    `there is a database at ${directory} already; a snapshot only goes into a new home. Remove it with evolve unsafe-clean, if it is not needed`,
  )
}

/** Opens a new database; what an import that was killed left there goes. */
async function openEmpty(path: string): Promise<Kv> {
  const kv = createLevelKv({ path })
  try {
    // Rejects while another import has it.
    await kv.start()
    for await (const _ of kv.keys({ gte: EMPTY_BYTES, lt: Uint8Array.of(0xff), limit: 1 })) {
      await kv.stop()
      await rm(path, { recursive: true, force: true })
      await kv.start()
      break
    }
  } catch (error) {
    if (!isEvolveError(error, 'STORE_CORRUPT')) throw error
    await rm(path, { recursive: true, force: true })
    await kv.start()
  }
  return kv
}

/** Writes what the frames hold, checking as far as one block tells of the next. */
async function fill(
  kv: Kv,
  deps: SnapshotImportDeps,
  file: SnapshotFile,
  { signal, onProgress }: SnapshotImportOptions,
): Promise<void> {
  const { manifest } = file
  const chain = createChainReader(deps.genesis, manifest)
  const part = { da: KEYS.da, application: KEYS.executor } as const
  let ops: KvOp[] = []
  let bytes = 0
  const opsOf = (frame: SnapshotFrame): readonly KvOp[] => {
    if (frame.kind === 'block') return chain.block(frame)
    if (frame.kind === 'genesis-state') return [stateOp(chain.genesisState(frame.state))]
    if (frame.kind === 'final') return placeOps(frame)
    return subKv(kv, Uint8Array.of(part[frame.kind])).whole([
      { type: 'put', key: frame.key, value: frame.value },
    ])
  }
  await ensureFormat(kv)
  for await (const frame of readFrames(file, { signal })) {
    for (const op of opsOf(frame)) {
      ops.push(op)
      bytes += op.key.length + (op.type === 'put' ? op.value.length : 0)
    }
    if (bytes < BATCH_BYTES) continue
    await kv.batch(ops)
    ops = []
    bytes = 0
    onProgress?.(
      'importing',
      chain.height - manifest.firstHeight + 1,
      manifest.height - manifest.firstHeight + 1,
    )
  }
  await kv.batch([...ops, ...chain.end()], { sync: true })
}
