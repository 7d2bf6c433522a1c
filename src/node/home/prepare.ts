/*
 * Makes a home directory ready for a node: configuration, keys and, for an aggregator, genesis. What is there is kept.
 */
import { dirname } from 'node:path'
import { makeDirectory, writeFileAtomic } from '../../config/atomic-file.node.ts'
import type { HomeConfig } from '../../config/home-config.node.ts'
import { type HomePaths, signerFile } from '../../config/home.ts'
import { keyAt } from '../../config/keys.ts'
import { readYaml, type Source } from '../../config/yaml-read.ts'
import { changeConfig, configTexts, formatConfig } from '../../config/yaml-write.ts'
import type { Env } from '../../core/env.ts'
import { formatNodeKey, generateNodeKey, type NodeKey } from '../../p2p/identity.ts'
import { formatGenesis, type Genesis } from '../../types/genesis.ts'
import { toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { readGenesis, readNodeKey } from './files.ts'
import { prepareSigner } from './signer-files.ts'

/** Chain id of a new genesis when none is given. */
export const DEFAULT_CHAIN_ID = 'ev-test'
/** Length of a forced-inclusion epoch in DA heights, as the Go programs write it. */
const DEFAULT_EPOCH = 50

/** What is to become of a home directory. */
export interface HomeWishes {
  /** Its configuration as it is to hold. */
  readonly read: HomeConfig
  /** Keys whose values go into the file, also where it is there already. */
  readonly given: Source
  /** Chain id of a new genesis; that of one that is there must be the same. */
  readonly chainId: string | undefined
  /** The genesis, where it is known; one that is there must be the same. */
  readonly genesis?: Genesis
}

/** What became of a file. */
export type FileState = 'new' | 'changed' | 'kept'

/** A home directory that is ready. */
export interface PreparedHome {
  readonly config: FileState
  readonly nodeKey: { readonly key: NodeKey; readonly state: FileState }
  /** Set for an aggregator. */
  readonly signer:
    | { readonly file: string; readonly address: Uint8Array; readonly state: FileState }
    | undefined
  /** Undefined where there is none and none could be made. */
  readonly genesis: { readonly genesis: Genesis; readonly state: FileState } | undefined
}

/**
 * Makes what is missing. All that is there is read and judged before anything is written. Rejects with `USAGE` when
 * the genesis is that of another chain, and as the readers of the files do.
 */
export async function prepareHome(
  { env }: { readonly env: Env },
  { read, given, chainId, genesis: wished }: HomeWishes,
): Promise<PreparedHome> {
  const { paths, config } = read
  const genesis = await readGenesis(paths)
  refuseOtherChain(paths, genesis, chainId, wished)
  const nodeKey = await readNodeKey(paths)
  const signer = config.node.aggregator ? await prepareSigner(read) : undefined

  await makeDirectory(paths.configDirectory)
  return {
    config: await writeConfig(read, given),
    nodeKey: await writeNodeKey(paths, nodeKey),
    signer:
      signer === undefined
        ? undefined
        : { file: signer.file, address: signer.address, state: await signer.write() },
    genesis:
      genesis === undefined
        ? await writeGenesis(paths, wished ?? newGenesis(chainId, signer?.address, env))
        : { genesis, state: 'kept' },
  }
}

/** A DA namespace that no other chain is likely to have: the aggregator chooses, its followers are told. */
export function newNamespace(chainId: string, origin: string): Source {
  const text = `${chainId}-${toHex(crypto.getRandomValues(new Uint8Array(5)))}`
  return { values: new Map([['da.namespace', { text, origin }]]), problems: [] }
}

function refuseOtherChain(
  { genesisFile }: HomePaths,
  found: Genesis | undefined,
  chainId: string | undefined,
  wished: Genesis | undefined,
): void {
  if (found === undefined) return
  if (chainId !== undefined && chainId !== found.chainId) {
    throw new EvolveError('USAGE', `${genesisFile} is that of chain ${found.chainId}, not ${chainId}`)
  }
  if (wished !== undefined && formatGenesis(wished) !== formatGenesis(found)) {
    throw new EvolveError(
      'USAGE',
      `${genesisFile} is another genesis than the given one: leave it out, or give another directory`,
    )
  }
}

/** Writes a new file, or puts what was given into the one that is there. */
async function writeConfig({ config, paths, fileText }: HomeConfig, given: Source): Promise<FileState> {
  const { signer, node } = config
  // The Go programs start a relative path at the working directory.
  const signerPath = node.aggregator ? dirname(signerFile(paths.home, config)) : signer.signerPath
  const written = { ...config, signer: { ...signer, signerPath } }
  const texts = configTexts(written)
  const before = readYaml(fileText ?? '', paths.configFile).values
  const keys = [...given.values.keys(), ...(node.aggregator ? ['signer.signer_path', 'da.namespace'] : [])]
  const changes = new Map(
    keys
      .filter((path) => keyAt(path)?.noFile !== true && before.get(path)?.text !== texts.get(path))
      .map((path) => [path, texts.get(path) ?? '']),
  )
  const text = fileText === undefined ? formatConfig(written) : changeConfig(fileText, changes)
  if (text === fileText) return 'kept'
  await writeFileAtomic(paths.configFile, text)
  return fileText === undefined ? 'new' : 'changed'
}

async function writeNodeKey(
  paths: HomePaths,
  existing: NodeKey | undefined,
): Promise<PreparedHome['nodeKey']> {
  if (existing !== undefined) return { key: existing, state: 'kept' }
  const key = generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length)))
  await writeFileAtomic(paths.nodeKeyFile, formatNodeKey(key), { exclusive: true })
  return { key, state: 'new' }
}

/** The genesis of a chain that begins now; undefined where nobody is there to make its blocks. */
export function newGenesis(
  chainId: string = DEFAULT_CHAIN_ID,
  proposerAddress: Uint8Array | undefined,
  env: Env,
): Genesis | undefined {
  if (proposerAddress === undefined) return undefined
  return {
    chainId,
    startTime: env.now(),
    initialHeight: 1,
    proposerAddress,
    daStartHeight: 0,
    daEpochForcedInclusion: DEFAULT_EPOCH,
  }
}

async function writeGenesis(
  { genesisFile }: HomePaths,
  genesis: Genesis | undefined,
): Promise<PreparedHome['genesis']> {
  if (genesis === undefined) return undefined
  await writeFileAtomic(genesisFile, formatGenesis(genesis), { exclusive: true })
  return { genesis, state: 'new' }
}
