import { join } from 'node:path'
import { freePort } from '../../src/node/devnet/homes.ts'
import { generateNodeKey, peerIdOf } from '../../src/p2p/identity.ts'
import { signingKeyOf } from '../../src/signer/file.node.ts'
import { formatGenesis } from '../../src/types/genesis.ts'
import { EMPTY_BYTES, fromHex, toHex } from '../../src/util/bytes.ts'
import type { DaOrder, NodeOrder } from './messages.ts'

/** What the processes of a network are to be. */
export interface NetworkOrders {
  readonly da: DaOrder
  readonly aggregator: NodeOrder
  readonly follower: NodeOrder
  /** A follower without peers. */
  readonly daOnly: NodeOrder
}

const randomSeed = (): string => toHex(crypto.getRandomValues(new Uint8Array(32)))
const bytesOf = (hex: string): Uint8Array => fromHex(hex) ?? EMPTY_BYTES

/** Plans a network of a new chain below a folder, with keys and ports of its own. Times in milliseconds. */
export async function planNetwork(
  folder: string,
  {
    chainId,
    blockTime,
    daBlockTime,
    kvPort,
  }: {
    readonly chainId: string
    readonly blockTime: number
    readonly daBlockTime: number
    readonly kvPort: number
  },
): Promise<NetworkOrders> {
  const proposerSeed = randomSeed()
  const genesis = formatGenesis({
    chainId,
    startTime: BigInt(Date.now()) * 1_000_000n,
    initialHeight: 1,
    proposerAddress: signingKeyOf(bytesOf(proposerSeed)).address,
    daStartHeight: 0,
    daEpochForcedInclusion: 50,
  })
  const daPort = await freePort()
  const node = async (name: string, extra: Partial<NodeOrder>): Promise<NodeOrder> => ({
    role: 'follower',
    home: join(folder, name),
    genesis,
    nodeSeed: randomSeed(),
    proposerSeed,
    port: await freePort(),
    peers: [],
    da: `http://127.0.0.1:${daPort}`,
    blockTime,
    daBlockTime,
    ...extra,
  })
  const aggregator = await node('aggregator', { role: 'aggregator', kvPort })
  const id = peerIdOf(generateNodeKey(() => bytesOf(aggregator.nodeSeed)))
  return {
    da: { home: join(folder, 'da'), port: daPort, blockTime: daBlockTime },
    aggregator,
    follower: await node('follower', { peers: [`/ip4/127.0.0.1/tcp/${aggregator.port}/p2p/${id}`] }),
    daOnly: await node('da-only', {}),
  }
}
