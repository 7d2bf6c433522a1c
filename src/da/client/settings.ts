import { type DaAddress, readAddress } from './address.ts'

/** Where the DA node is, and bounds of the client. Durations in milliseconds, defaults in brackets. */
export interface DaClientOptions {
  /** URL of http, https, ws or wss, or `host:port`. */
  readonly address: string
  /** Sent as `Authorization: Bearer` with everything. */
  readonly authToken?: string
  /** Time for one call, from the moment it has its place [60,000]. */
  readonly requestTimeout?: number
  /** Bytes of the largest answer [16 MiB]; that with the blobs of a height may be larger. */
  readonly maxBodyBytes?: number
  /**
   * Bytes of the largest list of blobs [512 MiB]: whatever strangers post at a DA height must fit, as JSON, which is
   * a third larger. It is read by HTTP, blob by blob, when it is above `maxBodyBytes`.
   */
  readonly maxHeightBytes?: number
  /** Bytes of blobs that are kept of a height [64 MiB]; those that come after are left out. */
  readonly maxKeptBytes?: number
  /** Calls under way at once [80: three for each DA height that is read at a time, and some], and how many more may wait for their turn [1,024]. */
  readonly maxInFlight?: number
  readonly maxWaiting?: number
  /** First [1,000] and longest [30,000] time between two attempts to open a WebSocket; it doubles. */
  readonly upgradeFirst?: number
  readonly upgradeInterval?: number
  /** Time for a WebSocket to open [5,000]. The very first calls wait for that. */
  readonly openTimeout?: number
  /** Between two pings [10,000], and how long a WebSocket may be silent [30,000]. */
  readonly pingInterval?: number
  readonly silence?: number
  /** Time for a WebSocket to be closed in agreement [1,000]. */
  readonly closeTimeout?: number
}

/** {@link DaClientOptions} with everything filled in. */
export interface ClientSettings extends Required<Omit<DaClientOptions, 'address' | 'authToken'>> {
  readonly address: DaAddress
  readonly headers: Readonly<Record<string, string>>
}

/** Fills in defaults. Throws `INVALID_CONFIG`. */
export function clientSettings(options: DaClientOptions): ClientSettings {
  const { address, authToken = '', ...rest } = options
  return {
    requestTimeout: 60_000,
    maxBodyBytes: 16 * 1024 * 1024,
    maxHeightBytes: 512 * 1024 * 1024,
    maxKeptBytes: 64 * 1024 * 1024,
    maxInFlight: 80,
    maxWaiting: 1_024,
    upgradeFirst: 1_000,
    upgradeInterval: 30_000,
    openTimeout: 5_000,
    pingInterval: 10_000,
    silence: 30_000,
    closeTimeout: 1_000,
    ...rest,
    address: readAddress(address),
    headers: authToken === '' ? {} : { authorization: `Bearer ${authToken}` },
  }
}
