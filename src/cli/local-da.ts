import type { Env } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'

/** How a local DA is to run. Durations in milliseconds. */
export interface LocalDaSettings {
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  /** Folder for its blocks, which exists; without one they are gone with the process. */
  readonly data?: string
  /** Between blocks. 0: a block for each submission, at once. */
  readonly blockTime: number
  /** Bytes of one blob. */
  readonly maxBlobSize: number
  /** Before each call is answered. */
  readonly latency: { readonly fixed: number }
  readonly authToken?: string
}

/** What the command `da` needs of a local DA. */
export interface RunnableLocalDa extends Service {
  /** `http://host:port`, once it runs. */
  readonly address: string
  /** The newest DA height. */
  readonly height: number
}

/** Makes a local DA. */
export type LocalDaFactory = (
  deps: { readonly env: Env; readonly logger: Logger },
  settings: LocalDaSettings,
) => RunnableLocalDa | Promise<RunnableLocalDa>
