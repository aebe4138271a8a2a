// Tries to get out of the cell it runs in; prints a line for each way: `tcp: reached`, or why not.
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

static void tell(const char* way, bool reached) {
  printf("%s: %s\n", way, reached ? "reached" : strerror(errno));
  fflush(stdout);
}

static bool joined(int family, int kind, const void* address, socklen_t size) {
  int handle = socket(family, kind | SOCK_CLOEXEC, 0);
  return handle >= 0 && connect(handle, static_cast<const sockaddr*>(address), size) == 0 && write(handle, "x", 1) == 1;
}

static bool unix_socket(const std::string& name, bool abstract) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path + abstract, name.data(), name.size());
  return joined(AF_UNIX, SOCK_STREAM, &address, offsetof(sockaddr_un, sun_path) + name.size() + 1);
}

static bool internet(int kind, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return joined(AF_INET, kind, &address, sizeof address);
}

// Leaves the session and forgets that it should die with its parent; then is a sleep that is told from others by name.
static void outlive(const char* seconds) {
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, 0);
    setsid();
    if (fork() == 0) {
      close(0), close(1), close(2);
      execlp("sleep", "sleep", seconds, nullptr);
      _exit(1);
    }
    _exit(0);
  }
}

int main(int, char** argv) {  // TCP_PORT UNIX_PATH ABSTRACT_NAME PID_OF_AVO SECONDS
  int port = atoi(argv[1]), avo = atoi(argv[4]);
  tell("tcp", internet(SOCK_STREAM, port));
  tell("udp", internet(SOCK_DGRAM, port));
  tell("unix", unix_socket(argv[2], false));
  tell("abstract", unix_socket(argv[3], true));
  tell("signal", kill(avo, 0) == 0);
  tell("ptrace", ptrace(PTRACE_SEIZE, avo, 0, 0) == 0);
  tell("parent", ptrace(PTRACE_SEIZE, getppid(), 0, 0) == 0);
  rlimit none{};
  tell("limits", syscall(SYS_prlimit64, avo, RLIMIT_NOFILE, nullptr, &none) == 0);
  tell("namespaces", unshare(CLONE_NEWUSER) == 0);
  tell("memfd", syscall(SYS_memfd_create, "x", 0) >= 0);
  tell("shm", shmget(IPC_PRIVATE, 1 << 20, 0600) >= 0);
  tell("io_uring", syscall(SYS_io_uring_setup, 4, nullptr) >= 0 || errno == EFAULT);
  tell("root", setuid(0) == 0);
  outlive(argv[5]);
  printf("end\n");
}
