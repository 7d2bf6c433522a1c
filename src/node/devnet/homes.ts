/*
 * Home directories of a devnet's nodes: what `evolve init` would make, so that each can be started by hand later.
 */
import { createServer } from 'node:net'
import { join } from 'node:path'
import {
  makeDirectory,
  readPrivateFile,
  readTextFile,
  writeFileAtomic,
} from '../../config/atomic-file.node.ts'
import { readHomeConfig } from '../../config/home-config.node.ts'
import { type HomePaths, homePaths, signerFile } from '../../config/home.ts'
import { defaultConfig } from '../../config/load.ts'
import type { Config } from '../../config/schema.ts'
import { formatConfig } from '../../config/yaml-write.ts'
import { formatNodeKey, generateNodeKey, type NodeKey, parseNodeKey, peerIdOf } from '../../p2p/identity.ts'
import { createSignerFile, openSignerFile, type SigningKey } from '../../signer/file.node.ts'
import { formatGenesis, type Genesis, parseGenesis } from '../../types/genesis.ts'
import { toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'

/** What the nodes of a new devnet have in common. Durations in milliseconds. */
export interface DevnetShape {
  readonly chainId: string
  /** Unix nanoseconds. */
  readonly startTime: bigint
  readonly blockTime: number
  readonly daBlockTime: number
  readonly daAddress: string
}

/** The home of one node, read. */
export interface DevnetHome {
  readonly name: DevnetName
  readonly paths: HomePaths
  readonly config: Config
  readonly genesis: Genesis
  readonly nodeKey: NodeKey
}

/** Nodes of a devnet. `da-only` has no peers: all it knows it reads from DA. */
export const DEVNET_NAMES = ['aggregator', 'follower', 'da-only'] as const
/** One of {@link DEVNET_NAMES}. */
export type DevnetName = (typeof DEVNET_NAMES)[number]

/** The homes of a devnet, and the key of its aggregator. */
export interface DevnetHomes {
  readonly homes: Readonly<Record<DevnetName, DevnetHome>>
  readonly key: SigningKey
  readonly ledgerFile: string
}

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))

/** Makes the homes below `root`, or reads those that are there already; their DA address is then set anew. */
export async function prepareHomes(root: string, shape: DevnetShape): Promise<DevnetHomes> {
  const paths = homePaths(join(root, 'aggregator'))
  if ((await readTextFile(paths.genesisFile)) === undefined) {
    if ((await readTextFile(homePaths(root).configFile)) !== undefined) throw homeOfNode(root)
    await makeHomes(root, shape)
  }
  const homes = {
    aggregator: await readHome(root, 'aggregator', shape.daAddress),
    follower: await readHome(root, 'follower', shape.daAddress),
    'da-only': await readHome(root, 'da-only', shape.daAddress),
  }
  const file = signerFile(paths.home, homes.aggregator.config)
  const text = await readPrivateFile(file)
  const passphrase = await readPrivateFile(passphraseFile(paths))
  if (text === undefined || passphrase === undefined) throw damaged(file)
  return {
    homes,
    key: await openSignerFile(text, passphrase.trim()),
    ledgerFile: join(paths.configDirectory, 'signer.ledger'),
  }
}

/** A TCP port of this machine that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    server.close(() => resolve(port))
  })
  return await promise
}

function passphraseFile({ configDirectory }: HomePaths): string {
  return join(configDirectory, 'passphrase')
}

async function makeHomes(root: string, shape: DevnetShape): Promise<void> {
  const passphrase = toHex(randomBytes(16))
  const { text: signer, key } = await createSignerFile(passphrase)
  const genesis: Genesis = {
    chainId: shape.chainId,
    startTime: shape.startTime,
    initialHeight: 1,
    proposerAddress: key.address,
    daStartHeight: 0,
    daEpochForcedInclusion: 50,
  }
  const namespace = `${shape.chainId}-${toHex(randomBytes(5))}`
  const port = await freePort()
  const seed = { port, key: generateNodeKey(randomBytes) }
  const peer = `/ip4/127.0.0.1/tcp/${seed.port}/p2p/${peerIdOf(seed.key)}`
  const base = devnetConfig(shape, namespace)
  await writeHome(root, 'aggregator', {
    config: { ...withPort(base, port), node: { ...base.node, aggregator: true } },
    nodeKey: seed.key,
  })
  const { p2p } = withPort(base, await freePort())
  await writeHome(root, 'follower', {
    config: { ...base, p2p: { ...p2p, peers: [peer] } },
    nodeKey: generateNodeKey(randomBytes),
  })
  await writeHome(root, 'da-only', {
    config: withPort(base, await freePort()),
    nodeKey: generateNodeKey(randomBytes),
  })
  const paths = homePaths(join(root, 'aggregator'))
  await writeFileAtomic(passphraseFile(paths), `${passphrase}\n`)
  await writeFileAtomic(join(paths.configDirectory, 'signer.json'), signer)
  // The aggregator's comes last: with it the homes count as made.
  for (const name of DEVNET_NAMES.toReversed()) {
    await writeFileAtomic(homePaths(join(root, name)).genesisFile, formatGenesis(genesis))
  }
}

function devnetConfig({ blockTime, daBlockTime, daAddress }: DevnetShape, namespace: string): Config {
  const config = defaultConfig()
  return {
    ...config,
    node: { ...config.node, blockTime },
    rpc: { ...config.rpc, address: '127.0.0.1:0' },
    da: {
      ...config.da,
      address: daAddress,
      blockTime: daBlockTime,
      namespace: `${namespace}-headers`,
      dataNamespace: `${namespace}-data`,
    },
  }
}

function withPort(config: Config, port: number): Config {
  return { ...config, p2p: { ...config.p2p, listenAddress: `/ip4/127.0.0.1/tcp/${port}` } }
}

async function writeHome(
  root: string,
  name: DevnetName,
  { config, nodeKey }: { readonly config: Config; readonly nodeKey: NodeKey },
): Promise<void> {
  const paths = homePaths(join(root, name))
  await makeDirectory(paths.configDirectory)
  await writeFileAtomic(paths.configFile, formatConfig(config))
  await writeFileAtomic(paths.nodeKeyFile, formatNodeKey(nodeKey))
}

async function readHome(root: string, name: DevnetName, daAddress: string): Promise<DevnetHome> {
  const home = join(root, name)
  const given = {
    values: new Map([['da.address', { text: daAddress, origin: 'devnet' }]]),
    problems: [],
  }
  const { config, paths } = await readHomeConfig({ home, variables: {}, flags: given })
  const [genesis, nodeKey] = await Promise.all([
    readTextFile(paths.genesisFile),
    readPrivateFile(paths.nodeKeyFile),
  ])
  if (genesis === undefined || nodeKey === undefined) throw damaged(home)
  return { name, paths, config, genesis: parseGenesis(genesis), nodeKey: parseNodeKey(nodeKey) }
}

function homeOfNode(root: string): EvolveError {
  return new EvolveError(
    'USAGE',
    `${root} is the home of a node, not of a devnet: give another folder, or none for one that is removed in the end`,
  )
}

function damaged(path: string): EvolveError {
  return new EvolveError(
    'USAGE',
    `${path} is no home of a devnet, or lacks files: remove its folder, or give another`,
  )
}
