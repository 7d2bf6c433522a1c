import { z } from 'zod'
import { count, duration, type Section, text, yesNo } from '../kinds.ts'

/** Several aggregators that elect one. Durations in milliseconds. */
export interface RaftConfig {
  readonly enable: boolean
  readonly nodeId: string
  readonly raftAddr: string
  /** Empty: `raft` in the home directory. */
  readonly raftDir: string
  readonly bootstrap: boolean
  readonly peers: string
  readonly snapCount: number
  readonly sendTimeout: number
  readonly heartbeatTimeout: number
  readonly leaderLeaseTimeout: number
  readonly electionTimeout: number
  readonly snapshotThreshold: number
  readonly trailingLogs: number
}

/** Schema of {@link RaftConfig}. */
export const raftSection: Section<RaftConfig> = z.strictObject({
  enable: yesNo(false, 'Elect the aggregator among several nodes with Raft.'),
  nodeId: text('', 'Name of this node in the Raft cluster.'),
  raftAddr: text('', 'host:port for Raft.'),
  raftDir: text('', 'Folder of the Raft log and its snapshots.'),
  bootstrap: yesNo(false, 'Begin a new Raft cluster.'),
  peers: text('', 'The other Raft nodes, as name@host:port, separated by commas.'),
  snapCount: count(3, 'Snapshots to keep.'),
  sendTimeout: duration('200ms', 'Time for one Raft message to be sent.'),
  heartbeatTimeout: duration('350ms', 'Time between heartbeats of the leader.'),
  leaderLeaseTimeout: duration('175ms', 'Time a leader leads without an answer from its followers.'),
  electionTimeout: duration(
    '1s',
    'Time a candidate waits for votes. 0s, or at least raft.heartbeat_timeout.',
  ),
  snapshotThreshold: count(500, 'Log entries after which a snapshot is made.'),
  trailingLogs: count(200, 'Log entries to keep behind a snapshot.'),
})
