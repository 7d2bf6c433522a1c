/*
 * What subscribers are told: encoded once for all of them, in each form that somebody wants.
 */
import { type DescMessage, type MessageShape, toBinary, toJsonString } from '@bufbuild/protobuf'
import { utf8 } from '../../util/bytes.ts'

/**
 * Forms of an event: `proto` and `json` are messages in the envelope that Connect, gRPC and gRPC-Web share, `sse` a
 * server-sent event whose data is the JSON.
 */
export type EventForm = 'proto' | 'json' | 'sse'

/** Something that subscribers are told. */
export interface SubscriptionEvent<Message> {
  /** Where the next one begins: a height; 0 where there are none. */
  readonly next: number
  readonly message: Message
  /** Its bytes in a form. The same for all: nobody writes to them. */
  bytes(form: EventForm): Uint8Array
}

/** Flags and length in front of a message. */
const ENVELOPE_BYTES = 5

function enveloped(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ENVELOPE_BYTES + message.length)
  new DataView(bytes.buffer).setUint32(1, message.length)
  bytes.set(message, ENVELOPE_BYTES)
  return bytes
}

/** Makes a {@link SubscriptionEvent}; a `height` becomes the id of the server-sent event. */
export function createEvent<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  height: number | undefined,
): SubscriptionEvent<MessageShape<Desc>> {
  let json: string | undefined
  const made = new Map<EventForm, Uint8Array>()

  function make(form: EventForm): Uint8Array {
    if (form === 'proto') return enveloped(toBinary(schema, message))
    json ??= toJsonString(schema, message)
    if (form === 'json') return enveloped(utf8(json))
    return utf8(`${height === undefined ? '' : `id: ${height}\n`}data: ${json}\n\n`)
  }

  return {
    next: height === undefined ? 0 : height + 1,
    message,
    bytes(form) {
      const known = made.get(form)
      if (known !== undefined) return known
      const bytes = make(form)
      made.set(form, bytes)
      return bytes
    },
  }
}
