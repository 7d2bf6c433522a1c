import { Socket } from 'node:net'
import type {
  CreateListenerOptions,
  DialTransportOptions,
  MultiaddrConnection,
  Transport,
  Upgrader,
  UpgraderOptions,
} from '@libp2p/interface'
import { type TCPDialEvents, type TCPOptions, tcp } from '@libp2p/tcp'
import { facade } from './facade.ts'

type TcpFactory = ReturnType<typeof tcp>

/**
 * Lets what is sent within one turn of the event loop leave in one system call. A message over an encrypted,
 * multiplexed connection is many small buffers, and a call for each would cost more than all the rest.
 */
function cork(connection: MultiaddrConnection): MultiaddrConnection {
  const socket: unknown = Reflect.get(connection, 'socket')
  if (!(socket instanceof Socket)) return connection
  const send = connection.send.bind(connection)
  let corked = false
  connection.send = (data) => {
    if (!corked) {
      corked = true
      socket.cork()
      process.nextTick(() => {
        corked = false
        socket.uncork()
      })
    }
    return send(data)
  }
  return connection
}

function corking(upgrader: Upgrader): Upgrader {
  return facade(upgrader, {
    upgradeInbound: async (connection: MultiaddrConnection, options: UpgraderOptions) =>
      await upgrader.upgradeInbound(cork(connection), options),
    upgradeOutbound: async (connection: MultiaddrConnection, options: UpgraderOptions) =>
      await upgrader.upgradeOutbound(cork(connection), options),
  })
}

/** libp2p's TCP transport with corked sockets. */
export function corkedTcp(
  options: TCPOptions,
): (...args: Parameters<TcpFactory>) => Transport<TCPDialEvents> {
  return (components) => {
    const transport: Transport<TCPDialEvents> = tcp(options)(components)
    return facade(transport, {
      dial: async (address, dial: DialTransportOptions<TCPDialEvents>) =>
        await transport.dial(address, { ...dial, upgrader: corking(dial.upgrader) }),
      createListener: (listen: CreateListenerOptions) =>
        transport.createListener({ ...listen, upgrader: corking(listen.upgrader) }),
    })
  }
}
