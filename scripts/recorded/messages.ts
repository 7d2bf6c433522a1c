import type { NodeStatus } from '../../src/core/status.ts'

/** What the peer process tells. */
export interface PeerMessage {
  readonly type: 'listening'
  /** Multiaddresses with the peer's id. */
  readonly addresses: readonly string[]
}

/** What the follower process tells, once a tenth of a second and at its end. */
export interface FollowerMessage {
  readonly type: 'progress' | 'done'
  readonly phase: NodeStatus['phase']
  readonly height: number
  readonly headerHeight: number
  readonly targetHeight: number
  readonly peers: number
  /** Hex. */
  readonly stateRoot: string
  /** Hex; empty before the first block. */
  readonly lastHeaderHash: string
  /** Milliseconds since the follower began to start. */
  readonly elapsed: number
  /** Milliseconds until the headers that the peer had at the start were here, checked; 0 while they are not. */
  readonly headersDone: number
  /** Milliseconds until the blocks that the peer had at the start were executed; 0 while they are not. */
  readonly blocksDone: number
  /** Largest resident memory so far, bytes. */
  readonly peakMemory: number
}

/** Whether a message of another process is one of `types`. */
export function isMessage<T extends { type: string }>(
  message: unknown,
  ...types: readonly T['type'][]
): message is T {
  return (
    typeof message === 'object' &&
    message !== null &&
    'type' in message &&
    types.some((type) => type === message.type)
  )
}
