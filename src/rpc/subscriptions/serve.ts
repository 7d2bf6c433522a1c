/*
 * A subscription over Connect, gRPC or gRPC-Web. The library reads the request, answers with head, first message and
 * end, in whatever protocol was asked for; the messages between go to the response as they are, encoded once for all:
 * the envelope around a message is the same in all three. Where there is no response to write to, each goes through the
 * library.
 */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { createContextKey, type HandlerContext } from '@connectrpc/connect'
import type { Logger } from '../../core/logger.ts'
import { connectError } from '../errors.ts'
import { createEvent, type EventForm } from './event.ts'
import type { Subscription } from './member.ts'
import { type ByteSink, sinkOutlet } from './outlet.ts'
import { createQueueOutlet } from './queue-outlet.ts'

/** The response of a call, for those who write to it themselves. */
export const RESPONSE_SINK: ReturnType<typeof createContextKey<ByteSink | undefined>> = createContextKey<
  ByteSink | undefined
>(undefined, { description: 'response' })

/** What {@link serveSubscription} needs to know of a kind of message. */
export interface Served<Desc extends DescMessage> {
  readonly schema: Desc
  readonly logger: Logger
  /** For the log. */
  readonly method: string
  /** The message that says which height comes next. */
  readonly heartbeat: (next: number) => MessageShape<Desc>
}

/** Whether a request of any of the protocols asks for messages as JSON. */
function formOf(context: HandlerContext): EventForm {
  return /\+json\b/.test(context.requestHeader.get('content-type') ?? '') ? 'json' : 'proto'
}

/** Opens a subscription and tells it as the answer of a call, until it or the call is over. */
export async function* serveSubscription<Desc extends DescMessage>(
  { schema, logger, method, heartbeat }: Served<Desc>,
  context: HandlerContext,
  open: () => Promise<Subscription<MessageShape<Desc>>>,
): AsyncGenerator<MessageShape<Desc>, void> {
  let subscription: Subscription<MessageShape<Desc>> | undefined
  const close = (): void => subscription?.close()
  context.signal.addEventListener('abort', close, { once: true })
  try {
    subscription = await open()
    if (context.signal.aborted) return
    // The answer begins with the first message, whenever that comes: so one comes at once.
    yield heartbeat(subscription.next)
    const sink = context.values.get(RESPONSE_SINK)
    if (sink === undefined) {
      const outlet = createQueueOutlet(heartbeat)
      const over = subscription.tell(outlet).finally(() => outlet.close())
      yield* outlet.messages(context.signal)
      throwReason(await over)
    } else {
      const form = formOf(context)
      const outlet = sinkOutlet<MessageShape<Desc>>(sink, form, (next) =>
        createEvent(schema, heartbeat(next), undefined).bytes(form),
      )
      throwReason(await subscription.tell(outlet))
    }
  } catch (error) {
    if (!context.signal.aborted) throw connectError(logger, method, error)
  } finally {
    context.signal.removeEventListener('abort', close)
    close()
  }
}

function throwReason(reason: Error | undefined): void {
  if (reason !== undefined) throw reason
}
