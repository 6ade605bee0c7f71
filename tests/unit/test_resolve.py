from tests.support.resolving import dev_values


def test_x():
    print(dev_values()["api_port"])
