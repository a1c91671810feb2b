/* The only program of a guest that speaks to fmapid through the kernel's MCTP stack. It runs as init; see mctp-guest.
 *
 * It does what these commands of https://github.com/CodeConstruct/mctp do, and then sends two commands:
 *     mctp link serial /dev/ttyS1 & mctp link set mctpserial0 up
 *     mctp addr add 8 dev mctpserial0 && mctp route add 9 via mctpserial0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/mctp.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

enum { OWN_EID = 8, DEVICE_EID = 9, LINE_DISCIPLINE_MCTP = 28 /* N_MCTP, linux/tty.h */ };
enum { TYPE_FM_API = 7, TYPE_CCI = 8, IDENTIFY = 0x0001, GET_DCD_INFO = 0x5600 };

static void end(void) {
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    _exit(1);
}

static void check(int result, const char *what) {
    if (result < 0) {
        printf("guest: %s: %s\n", what, strerror(errno));
        end();
    }
}

/* A route netlink request: a header of its family, and attributes (type, size, value) until type -1. */
static void request(int type, const void *header, size_t size, const char *what, ...) {
    struct {
        struct nlmsghdr message;
        uint8_t bytes[128];
    } out = {.message = {.nlmsg_type = (uint16_t)type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
    size_t used = NLMSG_ALIGN(size);
    memcpy(out.bytes, header, size);
    va_list list;
    va_start(list, what);
    for (int kind = va_arg(list, int); kind >= 0; kind = va_arg(list, int)) {
        int length = va_arg(list, int);
        struct rtattr attribute = {.rta_len = (uint16_t)RTA_LENGTH(length), .rta_type = (uint16_t)kind};
        memcpy(out.bytes + used, &attribute, sizeof attribute);
        memcpy(out.bytes + used + RTA_LENGTH(0), va_arg(list, const void *), (size_t)length);
        used += RTA_SPACE(length);
    }
    va_end(list);
    out.message.nlmsg_len = (uint32_t)NLMSG_LENGTH(used);
    int netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    struct {
        struct nlmsghdr message;
        struct nlmsgerr error;
        uint8_t more[256];
    } in;
    check(netlink, "netlink");
    check((int)send(netlink, &out, out.message.nlmsg_len, 0), what);
    check((int)recv(netlink, &in, sizeof in, 0), what);
    errno = -in.error.error;
    check(in.error.error, what);
    close(netlink);
}

/* A CCI command without payload, by the kernel's sockets: its answer's size. */
static ssize_t command(int type, unsigned opcode, uint8_t *answer, size_t size) {
    uint8_t message[12] = {0, 1, 0, opcode & 0xFF, (uint8_t)(opcode >> 8)};
    struct sockaddr_mctp device = {
        .smctp_family = AF_MCTP, .smctp_network = MCTP_NET_ANY, .smctp_addr = {DEVICE_EID},
        .smctp_type = (uint8_t)type, .smctp_tag = MCTP_TAG_OWNER,
    };
    struct timeval patience = {.tv_sec = 5};
    int mctp = socket(AF_MCTP, SOCK_DGRAM, 0);
    check(mctp, "AF_MCTP socket");
    setsockopt(mctp, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    check((int)sendto(mctp, message, sizeof message, 0, (struct sockaddr *)&device, sizeof device), "sendto");
    ssize_t received = recv(mctp, answer, size, 0);
    check((int)received, "answer");
    close(mctp);
    return received;
}

int main(void) {
    check(mount("devtmpfs", "/dev", "devtmpfs", 0, NULL), "/dev");
    int module = open("/mctp-serial.ko", O_RDONLY | O_CLOEXEC);
    if (module >= 0) check((int)syscall(SYS_finit_module, module, "", 0), "mctp-serial.ko");

    struct termios raw;
    int line = open("/dev/ttyS1", O_RDWR | O_NOCTTY), discipline = LINE_DISCIPLINE_MCTP;
    check(line, "/dev/ttyS1");
    check(tcgetattr(line, &raw), "termios");
    cfmakeraw(&raw);
    cfsetspeed(&raw, B115200);
    check(tcsetattr(line, TCSANOW, &raw), "termios");
    check(ioctl(line, TIOCSETD, &discipline), "line discipline MCTP");

    struct ifreq named = {.ifr_name = "mctpserial0"};
    int any = socket(AF_UNIX, SOCK_DGRAM, 0);
    check(ioctl(any, SIOCGIFINDEX, &named), "mctpserial0");
    int interface = named.ifr_ifindex;
    struct ifinfomsg link = {.ifi_index = interface, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    request(RTM_NEWLINK, &link, sizeof link, "link up", -1);
    struct ifaddrmsg address = {.ifa_family = AF_MCTP, .ifa_index = (uint32_t)interface};
    uint8_t own = OWN_EID, device = DEVICE_EID;
    request(RTM_NEWADDR, &address, sizeof address, "address", IFA_LOCAL, 1, &own, -1);
    struct rtmsg route = {.rtm_family = AF_MCTP, .rtm_type = RTN_UNICAST};
    request(RTM_NEWROUTE, &route, sizeof route, "route", RTA_DST, 1, &device, RTA_OIF, 4, &interface, -1);

    uint8_t answer[1100];
    ssize_t size = command(TYPE_CCI, IDENTIFY, answer, sizeof answer);
    if (size < 12 + 18) end();
    printf("guest: Identify: vendor %02x%02x, device %02x%02x, component type %d\n", answer[13], answer[12], answer[15],
           answer[14], answer[12 + 17]);
    size = command(TYPE_FM_API, GET_DCD_INFO, answer, sizeof answer);
    if (size < 12 + 84) end();
    printf("guest: Get DCD Info: %d hosts, %d regions, %u x 256 MiB\n", answer[12], answer[13],
           answer[24] | (unsigned)answer[25] << 8);
    end();
}
